"""Benchmarks: the budgets of the design, each measured beside its peer in one run (`bench/run`, `python -m bench`)."""
