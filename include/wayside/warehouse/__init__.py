"""Publish and query: Parquet that is audited, then moved into place in one step, and read through DuckDB."""
