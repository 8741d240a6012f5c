"""Toward internet scale: what one store carries in a day, what breaks first, and a simulation that checks it.

``python -m benchmarks.scale [RESULTS] [--check] [--json FILE]`` reads the figures of the other runs in a folder, and says so; with
``--check`` it compares the simulation with a real burst on SQLite.
"""
