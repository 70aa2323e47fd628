"""The web pages of Wayside inside the Airflow UI: cameras, counts, coverage and shards, and the data behind them."""
