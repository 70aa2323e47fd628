"""Views for those who come from chrono_lens: `detected_objects.<pipeline>`, as its tables were named.

A view has no parameters and names its tables in full, so the statement of `sql/views` is filled in before. Whoever asks
a view of BigQuery needs the right to read both datasets, unless the view is made an authorised one.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from google.cloud import bigquery

from wayside.core.ids import pipeline_id
from wayside.core.tables import COUNTS, TABLES
from wayside.warehouse import sql
from wayside.warehouse.bigquery import BigQueryTarget
from wayside.warehouse.bigquery_errors import asking

if TYPE_CHECKING:
    from sqlglot import exp

DATASET: Final = "detected_objects"
_STATEMENT: Final = "views/detected_objects"


def create_views(target: BigQueryTarget, pipelines: Iterable[str], dataset: str = DATASET) -> list[str]:
    """Create or renew the view of each pipeline; return their full names. Doing so twice does no harm.

    Raises:
        InvalidIdentifierError: a pipeline has no valid id.
        ConfigError: BigQuery refuses, or there is a table of this name.
        TransientError: BigQuery did not answer.
    """
    target.prepare([COUNTS])
    home = bigquery.DatasetReference(target.project, dataset)
    target.create_dataset(home)
    return [_create_view(target, home, pipeline_id(pipeline)) for pipeline in pipelines]


def view_statement(target: BigQueryTarget, pipeline: str) -> str:
    """Return the statement of one view."""
    import sqlglot
    from sqlglot import exp

    def filled(node: "exp.Expression") -> "exp.Expression":
        if isinstance(node, exp.Parameter) and node.name == "pipeline":
            return exp.Literal.string(pipeline)
        if isinstance(node, exp.Table) and node.name in TABLES:
            return exp.table_(node.name, db=target.dataset.dataset_id, catalog=target.project, quoted=True)
        return node

    tree = sqlglot.parse_one(sql.load(_STATEMENT), read="bigquery").transform(filled)
    return tree.sql(dialect="bigquery", pretty=True, comments=False)


def _create_view(target: BigQueryTarget, home: bigquery.DatasetReference, pipeline: str) -> str:
    made = bigquery.Table(home.table(pipeline))
    made.view_query = view_statement(target, pipeline)
    made.description = f"Objects counted by {pipeline}, in the columns of chrono_lens"
    made.labels = target.labels
    what = f"the view {home.dataset_id}.{pipeline}"
    with asking(what):
        there = target.client.create_table(made, exists_ok=True)
    if there.view_query != made.view_query:
        there.view_query = made.view_query
        with asking(what):
            target.client.update_table(there, ["view_query"])
    return f"{home.project}.{home.dataset_id}.{pipeline}"
