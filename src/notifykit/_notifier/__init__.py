"""The front: what an application holds (notifier), and how a notification becomes messages (compose, fanout, intake)."""
