"""The stills product: every ten minutes fetch a slot, analyse the one before, publish both."""
