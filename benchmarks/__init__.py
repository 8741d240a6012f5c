"""Measurements of notifykit, its peers and the raw limits, as ratios in one run: ``scripts/test nox -s benchmarks``."""
