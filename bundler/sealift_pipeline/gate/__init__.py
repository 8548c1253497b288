"""A new model version against the one that is released: better, no worse, or refused with the reason. Pure."""
