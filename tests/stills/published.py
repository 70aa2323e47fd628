"""What a reader sees of a state folder: to be compared between runs."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


def visible(state: Path) -> list[str]:
    """Every file that is not hidden, relative to the state folder."""
    files = (path.relative_to(state) for path in state.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if not any(part.startswith(".") for part in path.parts))


def tables(state: Path) -> dict[str, pa.Table]:
    """Every published file by its name; addresses of pictures count from the state folder."""
    root = state / "warehouse" / "published"
    return {
        str(path.relative_to(root)): _moved(pq.ParquetFile(path).read(), state)
        for path in sorted(root.rglob("*.parquet"))
    }


def _moved(rows: pa.Table, state: Path) -> pa.Table:
    if "uri" not in rows.schema.names:
        return rows
    plain = pc.replace_substring(rows["uri"], state.as_uri(), "file:///state")
    return rows.set_column(rows.schema.get_field_index("uri"), rows.schema.field("uri"), plain)
