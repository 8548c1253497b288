"""Bundles that are read from a registry as they would be from a file."""
