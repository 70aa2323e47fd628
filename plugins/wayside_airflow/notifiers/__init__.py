"""Telling people when something went wrong: what, about which source and slot, how urgent it is, and what to do."""
