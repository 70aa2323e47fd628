"""What counts say over time: re-gridding, imputation by season, daily series, seasonal adjustment, and their export."""
