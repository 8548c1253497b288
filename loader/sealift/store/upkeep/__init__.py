"""What keeps a store in order: check, prune, roll back, complete what was cut off."""
