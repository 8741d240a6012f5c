"""What each library answers for each fault of a network, ours and others, from the same bad servers on loopback.

``python -m benchmarks.faults`` prints the table of ``docs/explanation/channels-compared.md``; ``--write`` puts it there.
"""
