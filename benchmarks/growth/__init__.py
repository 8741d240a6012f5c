"""How cost grows: one curve for each thing that there may be more of, measured side by side in one run.

``python -m benchmarks.growth [--only NAME] [--share X] [--out FILE]`` prints the tables, and writes the figures and a picture.
"""
