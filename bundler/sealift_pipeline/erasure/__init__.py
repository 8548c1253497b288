"""Erase a person: their rows go from every table and from the log; the leaves stay, so that roots hold."""
