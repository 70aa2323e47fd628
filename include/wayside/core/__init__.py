"""The ground floor: slots, identifiers, settings, errors and table schemas. Imports nothing else of ours."""
