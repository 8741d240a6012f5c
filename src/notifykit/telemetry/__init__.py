"""What happened, told to the outside: one module per integration."""
