"""The store that the settings name."""

from wayside.core.settings import Settings
from wayside.store.local import LocalStore
from wayside.store.store import Store


def open_store(settings: Settings) -> Store:
    """Return the picture store of the settings."""
    return LocalStore(settings.pictures)
