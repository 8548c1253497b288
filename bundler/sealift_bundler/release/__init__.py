"""From a recipe to a staged model version, and what a channel lists next."""
