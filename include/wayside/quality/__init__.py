"""Is this picture usable, and which of its objects stand still? Plain arrays in, verdicts out; no model, no files."""
