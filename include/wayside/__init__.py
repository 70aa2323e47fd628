"""Wayside: pictures taken beside the road become data. Plain Python; knows nothing of Airflow."""

__version__ = "0.1.0"
