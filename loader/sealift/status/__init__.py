"""What an instance has installed, how old it is, and the same as metrics."""
