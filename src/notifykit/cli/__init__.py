"""The command line: one file for each group of commands, and what they share.

``entry`` is what the console script calls, and needs no click; ``root`` holds the commands, each loaded when it is called;
``application`` finds the notifier; ``output`` prints tables for people and JSON for scripts; ``failures`` makes a sentence and an
exit code of every error.
"""
