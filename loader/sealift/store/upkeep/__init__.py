"""Upkeep of a store: check, prune, roll back, complete what was cut off."""
