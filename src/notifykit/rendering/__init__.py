"""Templates and variables to content: one module per markup."""
