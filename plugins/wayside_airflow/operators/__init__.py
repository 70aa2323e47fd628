"""Operators: each wires one stage of `wayside` to Airflow, and holds no logic of its own."""
