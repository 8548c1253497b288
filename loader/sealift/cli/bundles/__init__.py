"""What there is in a bundle, and the way to a registry."""
