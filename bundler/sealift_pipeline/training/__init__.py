"""Retraining: one command from new events to a staged model version."""
