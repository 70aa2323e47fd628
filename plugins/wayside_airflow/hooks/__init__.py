"""Credentials: whatever lies behind an Airflow connection is opened here and handed to `wayside`, which knows none."""
