"""What Oracle's errors become: the driver's own exceptions, as it makes them of the server's codes."""

import oracledb
import pytest
from oracledb import errors as driver
from tests.peers.h2 import error

from wayside.core.errors import AuditError, ConfigError, StoreFullError, TransientError, WaysideError
from wayside.warehouse.oracle_errors import code_of, refused_rows, translate

CASES = [
    (1, AuditError, "a key is there twice"),
    (1400, AuditError, "a value is missing"),
    (12899, AuditError, "too long"),
    (30926, AuditError, "a key is there twice"),
    ("DPY-8000", AuditError, "too long"),
    (3113, TransientError, "connection was lost"),
    (3114, TransientError, "try again"),
    (3135, TransientError, "connection was lost"),
    ("DPY-4011", TransientError, "connection was lost"),
    ("DPY-1001", TransientError, "connection is closed"),
    ("DPY-6005", TransientError, "cannot be reached"),
    (12541, TransientError, "no listener answers"),
    (12514, TransientError, "does not know the database yet"),
    (1033, TransientError, "could not answer"),
    (1034, TransientError, "could not answer"),
    (54, TransientError, "holds the table"),
    (60, TransientError, "waited for each other"),
    (8177, TransientError, "changed the same rows"),
    (1653, StoreFullError, "Enlarge the tablespace"),
    (1654, StoreFullError, "quota"),
    (1536, StoreFullError, "quota"),
    (1652, StoreFullError, "no space is left"),
    (1017, ConfigError, "Airflow connection"),
    (28001, ConfigError, "password has expired"),
    (942, ConfigError, "grant SELECT"),
    (1031, ConfigError, "a right is missing"),
    (1918, ConfigError, "oracle_schema"),
    ("DPY-4000", ConfigError, "DSN"),
    (904, WaysideError, "Oracle refused"),
]


@pytest.mark.parametrize(("code", "kind", "says"), CASES, ids=[str(case[0]) for case in CASES])
def test_an_error_says_what_why_and_what_to_do(code: int | str, kind: type[WaysideError], says: str):
    told = translate(error(code, "as the server says"), "delivering counts, batch b1")
    assert type(told) is kind
    assert str(told).startswith("delivering counts, batch b1: ")
    assert says in str(told)
    assert "as the server says" in str(told)
    assert "\n" not in str(told)
    assert "https:" not in str(told)


def test_the_drivers_classes_are_the_ones_of_its_codes():
    assert isinstance(error(1), oracledb.IntegrityError)
    assert code_of(error(1)) == "ORA-00001"
    assert code_of(error(3113)) == "DPY-4011"  # the driver puts its own code in front
    assert isinstance(error("DPY-6005"), oracledb.OperationalError)
    assert code_of(oracledb.DatabaseError()) == ""


def test_a_server_that_is_not_there_is_worth_another_try():
    with pytest.raises(oracledb.Error) as raised:
        oracledb.connect(user="u", password="p", dsn="127.0.0.1:1/none")
    assert isinstance(translate(raised.value, "connecting"), TransientError)


def row_error(code: int, offset: int, text: str = "said") -> object:
    return driver._Error(f"ORA-{code:05}: {text}", code=code, offset=offset)


def test_refused_rows_are_named_by_their_keys_the_first_few_of_them():
    keys = [f"City, camera {number}" for number in range(10)]
    told = refused_rows([row_error(12899, place) for place in (1, 3, 5, 7, 9)], keys, "delivering counts")
    assert isinstance(told, AuditError)
    assert "refused 5 rows" in str(told)
    assert "City, camera 1: ORA-12899: said" in str(told)
    assert "camera 5" in str(told)
    assert "camera 7" not in str(told)
    assert "and 2 more" in str(told)


def test_rows_refused_for_want_of_space_are_not_to_blame():
    told = refused_rows([row_error(12899, 0), row_error(1653, 1)], ["a", "b"], "delivering counts")
    assert isinstance(told, StoreFullError)
    assert isinstance(refused_rows([row_error(60, 0)], ["a"], "x"), TransientError)
    assert isinstance(refused_rows([row_error(904, 0)], ["a"], "x"), AuditError)
