"""The BigQuery peer refuses what DuckDB would let pass and BigQuery would not, and nothing more."""

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery as bq
from tests.conformance.frames import AT, run, table


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT n AS x FROM d.t WHERE x = 1", "Unrecognized name: x"),
        ("SELECT n + 1 AS x, x + 1 AS y FROM d.t", "Unrecognized name: x"),
        ("SELECT * FROM d.t WHERE slot >= @day", "GTE for argument types: TIMESTAMP, DATE"),
        ("SELECT * FROM (SELECT slot AS s FROM d.t) WHERE s BETWEEN @at AND CURRENT_DATE()", "TIMESTAMP, DATE"),
        ("SELECT * FROM d.t WHERE source = 1", "STRING, INTEGER"),
        ("SELECT * FROM d.t WHERE n IN UNNEST(@names)", "INTEGER, STRING"),
        ("INSERT INTO d.t (source, slot, n) SELECT source, slot, source FROM d.t", "STRING cannot be assigned to n"),
        ("INSERT INTO d.t (source, slot, n) VALUES ('a', CURRENT_TIMESTAMP(), 1.5)", "FLOAT cannot be assigned to n"),
        ("UPDATE d.t SET n = n / 2 WHERE TRUE", "FLOAT cannot be assigned to n"),
        (
            "MERGE d.t t USING d.t s ON FALSE WHEN NOT MATCHED THEN INSERT (source, slot) VALUES ('a', DATE(s.slot))",
            "DATE cannot be assigned to slot",
        ),
        ("SELECT n AS x FROM d.t WHERE n = 1 GROUP BY x HAVING x = 1 ORDER BY x", None),
        ("SELECT x FROM (SELECT n AS x FROM d.t) WHERE x = 1", None),
        ("SELECT n AS slot FROM d.t WHERE slot >= @at AND DATE(slot) = @day AND slot > '2026-01-01'", None),
        ("SELECT (SELECT MAX(u.n) FROM d.t AS u WHERE u.source = v.source) AS x FROM d.t AS v WHERE v.n > 0.5", None),
        (
            "WITH w AS (SELECT * FROM d.t) SELECT w.n FROM w JOIN d.t USING (source) WHERE w.source IN UNNEST(@names)",
            None,
        ),
        ("INSERT INTO d.t (source, slot, n) VALUES ('a', '2026-06-16 07:00:00', 2)", None),
    ],
)
def test_what_only_duckdb_would_let_pass(client: bq.Client, query: str, message: str | None) -> None:
    table(client)
    parameters = (
        bq.ScalarQueryParameter("day", "DATE", AT.date()),
        bq.ScalarQueryParameter("at", "TIMESTAMP", AT),
        bq.ArrayQueryParameter("names", "STRING", ["a"]),
    )
    if message is None:
        run(client, query, *parameters)
    else:
        with pytest.raises(BadRequest, match=message):
            run(client, query, *parameters)
