"""Who says what can be seen in an event: our own detector, a label service over HTTP, or a hook of the old importer."""
