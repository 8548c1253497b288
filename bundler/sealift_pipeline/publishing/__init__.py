"""Registries of models: put a version of a channel into one, and read the champion from one."""
