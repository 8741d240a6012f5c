"""Django: enqueue under ``transaction.atomic``, with ``manage.py notify_worker`` beside it."""
