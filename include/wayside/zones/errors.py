"""What can be wrong with a question about zones, or with a change of them, as errors that an interface can tell apart.

All have a sentence for people; `reason` is one word for programs.
"""

from typing import Final, Literal

from wayside.core.errors import ConfigError, ReasonedError

QuestionReason = Literal[
    "unknown_processor", "unknown_zone", "wrong_kind", "no_observation", "bad_time", "bad_range", "too_much"
]
QUESTION_REASONS: Final[tuple[str, ...]] = QuestionReason.__args__  # type: ignore[attr-defined]


class UnknownProcessorError(ConfigError):
    """There is no processor of this number, or no such version of its zones."""


class StaleVersionError(ConfigError):
    """Somebody else changed the zones meanwhile: load them again before changing them."""


class QuestionError(ReasonedError):
    """A question about counts has no answer; `reason` is one of `QUESTION_REASONS`."""

    def __init__(self, reason: QuestionReason, message: str) -> None:
        """Keep the reason beside the message."""
        super().__init__(reason, message)
