"""The part of Wayside that knows Airflow: hooks, operators, triggers, notifiers and web pages."""
