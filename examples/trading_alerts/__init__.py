"""Trading alerts: a trader hears of each failed order on every channel, within each channel's rate limits."""
