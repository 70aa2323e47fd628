"""Typed errors. A message says what failed, on which camera and slot, and what the reader can do about it.

Everything that Wayside raises on purpose derives from `WaysideError`; the command line prints its text without a
traceback, and the DAGs choose a retry by its class: `TransientError` is worth another try, anything else is not.
"""


class WaysideError(Exception):
    """Base of every error that Wayside raises on purpose."""


class ConfigError(WaysideError):
    """A setting, a configuration file or a parameter is wrong; a person has to change it."""


class InvalidIdentifierError(ConfigError):
    """A source, camera, pipeline or table name breaks the naming rules of `wayside.core.ids`."""


class TransientError(WaysideError):
    """Something outside failed in a way that often passes: worth a retry."""


class SourceError(TransientError):
    """A source could not say which pictures it offers."""


class StoreError(WaysideError):
    """A picture or table could not be read or written."""


class StoreFullError(StoreError):
    """No space is left where pictures or tables are written."""


class StoreUnavailableError(StoreError, TransientError):
    """The store is out of reach or overloaded, and several tries have failed; this often passes."""


class ReasonedError(WaysideError):
    """Something from outside is not what it should be. `reason` is a short machine-readable word."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason beside the message; both survive pickling between processes."""
        super().__init__(reason, message)
        self.reason = reason
        self.message = message

    def __str__(self) -> str:
        """Give the message alone; the reason has its own column."""
        return self.message


class ImageError(ReasonedError):
    """Bytes that should be a picture are not one, or break a limit."""


class VideoError(ReasonedError):
    """A file that should be a video is not one, breaks off, or breaks a limit."""


class LeakError(ImageError):
    """An anonymised picture was not handed out, because something in it would give away what it should hide."""

    def __init__(self, message: str) -> None:
        """Say what; the reason is always `leak`."""
        super().__init__("leak", message)

    def __reduce__(self) -> tuple[type["LeakError"], tuple[str]]:
        """Survive pickling between processes, with one argument."""
        return type(self), (self.message,)


class ModelError(WaysideError):
    """A model card or its weights cannot be used."""


class ModelHashError(ModelError):
    """Weights do not have the hash that their card states."""


class ModelLicenceError(ModelError):
    """The licence of a model is not on the allow-list."""


class ProviderError(ModelError):
    """The execution provider that was demanded (say, CUDA) is not the one the session got."""


class AuditError(WaysideError):
    """Staged rows failed their audit, so nothing was published."""
