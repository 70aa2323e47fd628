"""The demo city: a local peer of the public camera services, with ground truth. See `render` and `server`."""
