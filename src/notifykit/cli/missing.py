"""What the command line needs, and what it says without it."""

__all__ = ["NEEDED", "SENTENCE"]

NEEDED = ("click", "rich")
SENTENCE = 'the command line needs an optional dependency: pip install "notifykit[cli]"'
