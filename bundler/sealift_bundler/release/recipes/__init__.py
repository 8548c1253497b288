"""The recipe: what its file says, and how a new one is begun."""
