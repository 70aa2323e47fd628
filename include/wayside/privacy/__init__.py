"""Anonymise one picture: find what must be hidden, fill it for good, edit the file, look for leaks, write a receipt."""
