"""Report of what an instance has installed and how old that is, also as metrics."""
