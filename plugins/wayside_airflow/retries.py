"""Which failures are worth another try, decided by the type of the error.

What failed outside is tried again soon, because a slot is over after ten minutes. What a person has to mend first, and
rows that fail their audit, fail the task at once: the reason is then the last line of the first log.
"""

from datetime import timedelta
from typing import Final

from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from wayside.core.errors import AuditError, ConfigError, ModelError, StoreFullError, TransientError

SOON: Final = timedelta(seconds=20)
AFTER_CLEANING: Final = timedelta(minutes=1)

RETRIES: Final = ExceptionRetryPolicy(
    rules=[
        RetryRule(TransientError, RetryAction.RETRY, SOON, "something outside failed; this often passes"),
        RetryRule(StoreFullError, RetryAction.RETRY, AFTER_CLEANING, "no space left; somebody may be making some"),
        RetryRule([ConfigError, ModelError], RetryAction.FAIL, reason="a person has to change something first"),
        RetryRule(AuditError, RetryAction.FAIL, reason="the same rows would fail the same audit"),
    ]
)
