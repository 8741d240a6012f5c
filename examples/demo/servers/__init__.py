"""The other side: a mail server, Telegram's Bot API and a push service, each real, on the loopback and in a thread of its own."""
