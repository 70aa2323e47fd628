"""What Oracle's errors mean to us: worth another try, a thing to put right, no space, or rows that are refused.

The driver's own codes (DPY) stand beside the server's (ORA); for a lost connection the driver puts its own in front.
"""

from collections.abc import Sequence
from typing import Any, Final

import oracledb

from wayside.core.errors import AuditError, ConfigError, StoreFullError, TransientError, WaysideError

UNIQUE: Final = "ORA-00001"
EXISTS: Final = frozenset({"ORA-00955", "ORA-01408", "ORA-01430", "ORA-13223"})

_REFUSED: Final = {
    "ORA-00001": "a key is there twice",
    "ORA-01400": "a value is missing",
    "ORA-01426": "a number is too large",
    "ORA-01438": "a number is too large for its column",
    "ORA-01461": "a text is too long for its column",
    "ORA-02290": "a value is not allowed",
    "ORA-12899": "a text is too long for its column",
    "ORA-30926": "a key is there twice",
    "DPY-8000": "a value is too long for its column",
    "DPY-8001": "a value is missing",
}
_FULL: Final = frozenset(
    f"ORA-{code:05}"
    for code in (257, 1536, 1628, 1630, 1631, 1632, 1650, 1652, 1653, 1654, 1655, 1658, 1659, 1683, 1688, 1691, 30036)
)
_SET_UP: Final = {
    "ORA-01017": "user or password is wrong: put it right in the Airflow connection",
    "ORA-28000": "the account is locked: ask the database's administrator",
    "ORA-28001": "the password has expired: change it, also in the Airflow connection",
    "ORA-01045": "the user may not log on: grant CREATE SESSION",
    "DPY-4001": "no user or password is given: put them into the Airflow connection",
    "DPY-4000": "the name of the database is not known: put the DSN right in the Airflow connection",
    "ORA-12154": "the name of the database is not known: put the DSN right in the Airflow connection",
    "ORA-00942": "a table is not there or may not be used: grant SELECT, INSERT, UPDATE and DELETE, or CREATE TABLE",
    "ORA-01031": "a right is missing: grant what the statement needs, or let the owner create the tables",
    "ORA-01435": "the schema is not there: put oracle_schema right",
    "ORA-01918": "the schema is not there: put oracle_schema right",
    "ORA-01950": "the user has no quota in the tablespace: grant one",
}
_PASSING: Final = {
    "ORA-00054": "somebody else holds the table",
    "ORA-00060": "two transactions waited for each other",
    "ORA-01013": "the statement was cancelled",
    "ORA-01555": "the statement took longer than the database keeps old rows",
    "ORA-08177": "somebody else changed the same rows",
    "ORA-12505": "the listener does not know the database yet",
    "ORA-12514": "the listener does not know the database yet",
    "ORA-12541": "no listener answers",
    "ORA-30006": "somebody else holds the rows",
    "DPY-1001": "the connection is closed",
    "DPY-4011": "the connection was lost",
    "DPY-4024": "the database took too long to answer",
    "DPY-6005": "the database cannot be reached",
}
_SHOWN: Final = 3


def code_of(error: Any) -> str:
    """Return the code of an exception or of a row's error: `ORA-00001`, `DPY-4011`; empty if it has none."""
    detail = error.args[0] if isinstance(error, Exception) and error.args else error
    return str(getattr(detail, "full_code", ""))


def translate(error: Exception, doing: str) -> WaysideError:
    """Return our error for one of the driver: what failed, why, what to do.

    Whatever it is, no scope is half published: the caller has rolled back, or the session is gone and the server has.
    """
    detail = error.args[0] if error.args else error
    return _typed(detail, isinstance(error, oracledb.OperationalError | oracledb.InterfaceError), doing)


def refused_rows(errors: Sequence[Any], keys: Sequence[str], doing: str) -> WaysideError:
    """Return our error for rows that an array of them was refused for; `keys` names each row by its place.

    Where one of them says that the database is full or gone, that is what is wrong, and not the rows.
    """
    if (other := not_of_rows(errors, doing)) is not None:
        return other
    shown = "; ".join(f"{keys[error.offset]}: {_first_line(error)}" for error in errors[:_SHOWN])
    more = f" and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    return AuditError(f"{doing}: Oracle refused {len(errors)} rows, so none is published: {shown}{more}")


def not_of_rows(errors: Sequence[Any], doing: str) -> WaysideError | None:
    """Return our error for the first of the driver's that is no fault of a row, None if each may be one."""
    for error in errors:
        detail = error.args[0] if isinstance(error, Exception) and error.args else error
        outside = isinstance(error, oracledb.OperationalError | oracledb.InterfaceError)
        other = _typed(detail, outside, doing)
        if not isinstance(other, AuditError) and type(other) is not WaysideError:
            return other
    return None


def said_by(error: Any) -> str:
    """Return what the database said of a row, in one line."""
    return _first_line(error.args[0] if isinstance(error, Exception) and error.args else error)


def _typed(detail: Any, outside: bool, doing: str) -> WaysideError:
    code, said = code_of(detail), _first_line(detail)
    if code in _FULL:
        return StoreFullError(
            f"{doing}: no space is left in the database; nothing is published. Enlarge the tablespace or the user's "
            f"quota, then run again ({said})"
        )
    if code in _SET_UP:
        return ConfigError(f"{doing}: {_SET_UP[code]} ({said})")
    if code in _REFUSED:
        return AuditError(f"{doing}: {_REFUSED[code]}; nothing is published ({said})")
    if code in _PASSING or outside or getattr(detail, "isrecoverable", False):
        why = _PASSING.get(code, "the database could not answer")
        return TransientError(f"{doing}: {why}; no scope is half published, so try again ({said})")
    return WaysideError(f"{doing}: Oracle refused; nothing is published ({said})")


def _first_line(detail: Any) -> str:
    """Return what the database said, in one line: the driver adds the server's words and a link below its own."""
    lines = str(getattr(detail, "message", detail)).splitlines()
    return " / ".join(line for line in lines if not line.startswith("Help:"))
