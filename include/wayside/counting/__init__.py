"""Zones, tracks and time series, made from detections and counts."""
