"""Benchmarks. Each module prints a table of ratios from one run; none is part of the tests."""
