"""The worker: claims, renders, sends, settles. One loop a channel (channel_loop), one judge of each message (sender)."""
