"""Ways to reach a person: one module per channel."""
