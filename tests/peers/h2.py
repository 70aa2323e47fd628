"""A stand-in for Oracle: H2 in Oracle mode through JDBC, behind the surface of python-oracledb that we use.

H2 runs statements of Oracle's dialect for real: types, constraints, MERGE, locks and transactions are its own. What it
does not know is put right here: binds and statements by `tests.peers.h2_sql`, Oracle's dictionary by views, errors by
their Oracle codes as the driver's own exceptions. Values are bound as the driver does it, its oddities included: a time
loses its zone and is taken as UTC where the cursor was told that it has one, and as the session's time where not; the
session is in India, so that nobody relies on the latter. There is one JVM a process, which cannot be started again.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import oracledb
from oracledb import errors as driver
from tests.peers import h2_sql

SCHEMA = "WAYSIDE"
_PLACES = ("/usr/share/java/h2.jar", "/usr/local/share/java/h2.jar", "/opt/h2/bin/h2.jar")
# No cache of statements: H2 would keep a plan that it made for an empty table, and read all of it for each row.
_OPTIONS = "MODE=Oracle;LOCK_TIMEOUT=10000;TIME ZONE=Asia/Kolkata;QUERY_CACHE_SIZE=0"
# Quick to start, on a machine with few cores. In a test process also -Xrs: signals are its own.
_JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_OWN = {  # H2's error codes and Oracle's
    23505: 1,
    23502: 1400,
    23513: 2290,
    42101: 955,
    42111: 955,
    42121: 1430,
    42102: 942,
    42104: 942,
    42122: 904,
    90079: 1918,
    50200: 30006,
    40001: 60,
    28000: 1017,
}
_LOST = {90007, 90067, 90098, 90121}  # closed, broken, database closed


def jar() -> Path | None:
    """Where H2 lies: what WAYSIDE_H2_JAR names, or the first of the usual places."""
    named = os.environ.get("WAYSIDE_H2_JAR")
    return next((Path(place) for place in ([named] if named else _PLACES) if Path(place).is_file()), None)


@cache
def missing() -> str:
    """Why there is no H2 here; empty if there is."""
    if not all(map(importlib.util.find_spec, ("jaydebeapi", "jpype"))):
        return "jaydebeapi and jpype1 are not installed"
    import jpype

    try:
        jpype.getDefaultJVMPath()
    except jpype.JVMNotFoundException:
        return "there is no Java: install a headless JRE"
    return "" if jar() else "there is no h2.jar: install libh2-java, or name it in WAYSIDE_H2_JAR"


def error(code: int | str, text: str = "as asked for") -> oracledb.Error:
    """The driver's exception for a code of the server (1653) or of its own (`DPY-6005`)."""
    written = f"ORA-{code:05}: {text}" if isinstance(code, int) else f"{code}: {text}"
    detail = driver._Error(written, code=code if isinstance(code, int) else 0)
    raised: oracledb.Error = detail.exc_type(detail)
    return raised


class H2:
    """One database: in memory of this process, or of the server at `server`. `connect` opens sessions."""

    def __init__(self, server: str = "", name: str = "") -> None:
        name = name or f"peer{secrets.token_hex(8)}"
        place = f"tcp://{server}/mem:{name}" if server else f"mem:{name}"
        self.url = f"jdbc:h2:{place};{_OPTIONS};DB_CLOSE_DELAY=-1"
        # Two processes may set it up at once; then one of them finds each thing there.
        setup = _jdbc(self.url)
        for statement in h2_sql.SETUP:
            with contextlib.closing(setup.createStatement()) as made:
                made.execute(statement)
        setup.close()

    def connect(self) -> "Connection":
        return Connection(_jdbc(f"{self.url};SCHEMA={SCHEMA};SCHEMA_SEARCH_PATH={SCHEMA},SYS"))

    def close(self) -> None:
        """Give its memory back. H2 waits 0.2 s for threads of its own at this, which nobody else has to."""
        threading.Thread(target=self._shut).start()

    def _shut(self) -> None:
        with contextlib.closing(_jdbc(self.url).createStatement()) as statement:
            statement.execute("SHUTDOWN IMMEDIATELY")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run H2 as a process of its own and give its address, for tests that kill its clients."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [str(shutil.which("java")), *_JAVA, "-cp", str(jar()), "org.h2.tools.Server", "-ifNotExists"]
    command += ["-baseDir", str(folder), "-tcp", "-tcpPort", address.split(":")[1]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert "running" in process.stdout.readline()
            yield address
        finally:
            process.kill()


def _jdbc(url: str) -> Any:
    """Open a JDBC connection that commits when it is told to."""
    import jaydebeapi
    import jpype

    if not jpype.isJVMStarted():
        jpype.startJVM("-Xrs", *_JAVA, classpath=[str(jar())], convertStrings=True)
    # A thread that is attached in any other way would keep the JVM, and so the process, from ending.
    if not jpype.java.lang.Thread.isAttached():
        jpype.java.lang.Thread.attachAsDaemon()
    connection = jaydebeapi.connect("org.h2.Driver", url, [SCHEMA, ""]).jconn
    connection.setAutoCommit(False)
    return connection


@contextlib.contextmanager
def _said_as_oracle() -> Iterator[None]:
    """Raise H2's errors as the driver would raise Oracle's."""
    import jpype

    try:
        yield
    except jpype.JException as raised:
        raise error(*_oracle(raised)) from None


def _oracle(raised: Any) -> tuple[int, str]:
    """Return Oracle's code for an error of H2, and what it says."""
    code, text = int(raised.getErrorCode()), str(raised.getMessage()).split("; SQL statement")[0]
    if code in _LOST:
        return 3113, "end-of-file on communication channel"
    if code == 22001:
        return (1438 if "NUMERIC" in text.split(":")[0] else 12899), text
    return _OWN.get(code, 900), text


class Connection:
    """A session, as python-oracledb shows it."""

    thin = True

    def __init__(self, jdbc: Any) -> None:
        self.jdbc = jdbc
        self.autocommit = False

    def cursor(self) -> "Cursor":
        self.check()
        return Cursor(self)

    def check(self) -> None:
        if self.jdbc is None:
            raise driver._create_exception(driver.ERR_NOT_CONNECTED)

    def commit(self) -> None:
        self.check()
        with _said_as_oracle():
            self.jdbc.commit()

    def rollback(self) -> None:
        self.check()
        with _said_as_oracle():
            self.jdbc.rollback()

    def ping(self) -> None:
        with self.cursor() as cursor:
            cursor.execute("SELECT 1 FROM DUAL")

    def close(self) -> None:
        self.check()
        self.lose()

    def lose(self) -> None:
        """End the session as the server does when it loses sight of the client: what is not committed is gone."""
        jdbc, self.jdbc = self.jdbc, None
        with _said_as_oracle():
            jdbc.rollback()
            jdbc.close()

    def direct_path_load(
        self,
        schema_name: str,
        table_name: str,
        column_names: list[str],
        data: list[tuple[Any, ...]],
        *,
        batch_size: int = 2**32 - 1,
    ) -> None:
        """Load rows and commit, each batch by itself; the types are the table's, as the driver asks for them."""
        with self.cursor() as cursor:
            types = cursor.types(schema_name, table_name)
            names = ", ".join(f'"{name}"' for name in column_names)
            binds = ", ".join(f":{place + 1}" for place in range(len(column_names)))
            for start in range(0, len(data), batch_size):
                cursor.setinputsizes(*(types[name] for name in column_names))
                cursor.executemany(
                    f'INSERT INTO "{schema_name}"."{table_name}" ({names}) VALUES ({binds})',
                    data[start : start + batch_size],
                )
                self.commit()


class Cursor:
    """A cursor, as python-oracledb shows it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.rowcount = -1
        self._rows: list[tuple[Any, ...]] = []
        self._sizes: tuple[Any, ...] = ()
        self._errors: list[Any] = []
        self._counts: list[int] = []

    def __enter__(self) -> "Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._rows = []

    def setinputsizes(self, *sizes: Any) -> None:
        self._sizes = sizes

    def execute(self, statement: str, parameters: Any = ()) -> "Cursor":
        self.connection.check()
        written = h2_sql.translate(statement)
        with self._prepared(written.text) as prepared:
            self._bind(prepared, written.order(parameters))
            if prepared.execute():
                self._rows = list(_fetched(prepared.getResultSet()))
            else:
                self.rowcount = prepared.getUpdateCount()
        if refused := h2_sql.refused(written, self._ask):
            raise error(*refused)
        return self

    def executemany(
        self,
        statement: str,
        parameters: Sequence[Any],
        *,
        batcherrors: bool = False,
        arraydmlrowcounts: bool = False,
    ) -> None:
        import jpype

        self.connection.check()
        written = h2_sql.translate(statement)
        self._errors, self._counts = [], []
        with self._prepared(written.text) as prepared:
            for each in parameters:
                self._bind(prepared, written.order(each))
                prepared.addBatch()
            try:
                counts = [int(count) for count in prepared.executeBatch()]
            except jpype.JClass("java.sql.BatchUpdateException") as raised:
                counts = self._failed(raised, batcherrors)
        self.rowcount = sum(counts)
        self._counts = counts if arraydmlrowcounts else []

    def _failed(self, raised: Any, batcherrors: bool) -> list[int]:
        """Keep the errors of single rows, in their order; without `batcherrors` raise the first."""
        counts = [int(count) for count in raised.getUpdateCounts()]
        places = [place for place, count in enumerate(counts) if count < 0]
        following = raised.getNextException()
        for place in places:
            code, text = _oracle(following)
            if not batcherrors or code == 3113:
                raise error(code, text)
            self._errors.append(driver._Error(f"ORA-{code:05}: {text}", code=code, offset=place))
            following = following.getNextException() or following
        return [max(count, 0) for count in counts]

    def getbatcherrors(self) -> list[Any]:
        return self._errors

    def getarraydmlrowcounts(self) -> list[int]:
        return self._counts

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def types(self, schema: str, table: str) -> dict[str, Any]:
        """The types of a table's columns, for the direct path."""
        asked = "SELECT COLUMN_NAME, DATA_TYPE FROM ALL_TAB_COLUMNS WHERE OWNER = :1 AND TABLE_NAME = :2"
        listed = self.execute(asked, [schema, table]).fetchall()
        if not listed:
            raise error(942, "table or view does not exist")
        zoned = {"TIMESTAMP(6) WITH TIME ZONE": oracledb.DB_TYPE_TIMESTAMP_TZ}
        return {name: zoned.get(kind) for name, kind in listed}

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        return Cursor(self.connection).execute(query).fetchall()

    @contextlib.contextmanager
    def _prepared(self, text: str) -> Iterator[Any]:
        with _said_as_oracle(), contextlib.closing(self.connection.jdbc.prepareStatement(text)) as prepared:
            yield prepared

    def _bind(self, prepared: Any, values: Sequence[Any]) -> None:
        sizes = (*self._sizes, *[None] * len(values))
        for place, (value, size) in enumerate(zip(values, sizes, strict=False), 1):
            match value:
                case None | "":
                    prepared.setNull(place, 0)
                case datetime():
                    prepared.setObject(place, _time(value, size is oracledb.DB_TYPE_TIMESTAMP_TZ))
                case str():
                    prepared.setString(place, value)
                case float():
                    prepared.setDouble(place, value)
                case int():
                    prepared.setLong(place, value)
                case _:
                    raise driver._create_exception(driver.ERR_PYTHON_TYPE_NOT_SUPPORTED, typ=type(value))


def _time(value: datetime, zoned: bool) -> Any:
    """The fields of a time as they are: as UTC if the bind has a zone, else without."""
    import jpype

    local = jpype.JClass("java.time.LocalDateTime").of(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond * 1000
    )
    return local.atOffset(jpype.JClass("java.time.ZoneOffset").UTC) if zoned else local


def _fetched(results: Any) -> Iterator[tuple[Any, ...]]:
    described = results.getMetaData()
    kinds = [str(described.getColumnTypeName(place + 1)) for place in range(described.getColumnCount())]
    while results.next():
        yield tuple(_value(results, place + 1, kind) for place, kind in enumerate(kinds))


def _value(results: Any, place: int, kind: str) -> Any:
    """One value as the driver gives it: whole numbers as int, times without a zone, long texts behind `read`."""
    import jpype

    value = results.getObject(place)
    if value is None:
        return None
    match kind.split("(")[0]:
        case "NUMERIC" | "DECFLOAT" | "BIGINT" | "INTEGER":
            number = str(value)
            return int(number) if number.lstrip("-").isdigit() else float(number)
        case "REAL" | "DOUBLE PRECISION":
            return float(value)
        case "TIMESTAMP WITH TIME ZONE":
            return _datetime(value.toLocalDateTime())
        case "TIMESTAMP":
            return _datetime(results.getObject(place, jpype.JClass("java.time.LocalDateTime")))
        case "CHARACTER LARGE OBJECT":
            return Lob(str(results.getString(place)))
        case _:
            return h2_sql.geometry(str(value))


def _datetime(local: Any) -> datetime:
    return datetime(  # noqa: DTZ001  as the driver gives it
        local.getYear(),
        local.getMonthValue(),
        local.getDayOfMonth(),
        local.getHour(),
        local.getMinute(),
        local.getSecond(),
        local.getNano() // 1000,
    )


class Lob:
    """A long text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def read(self) -> str:
        return self._text
