"""Where messages wait: one module per store."""
