"""The command `wayside`: each capability without Airflow, for a shell and for tests."""
