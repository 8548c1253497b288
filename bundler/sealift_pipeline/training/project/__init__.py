"""A project: one Python file and one TOML file, and the lock file of its environment."""
