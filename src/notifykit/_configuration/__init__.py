"""Configuration from the environment or a TOML file: one schema (schema), read (sources), checked as a whole and built (building)."""
