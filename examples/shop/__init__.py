"""A shop: typed notifications, two languages, and a fallback from push to Telegram to e-mail."""
