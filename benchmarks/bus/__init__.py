"""Queues: how fast messages go in, and how fast they come out acknowledged.

One small file for each contender, with the same five functions (see ``contender``); ``roster`` says with which settings each runs.
"""
