"""The folder of a pipeline: its settings, its secrets, and the units that run it."""
