"""Whole deliveries: queue, rendering, and the wire, beside hand-written loops that do nothing but send.

``sinks`` are the servers; a file for each contender has one function, ``run``.
"""
