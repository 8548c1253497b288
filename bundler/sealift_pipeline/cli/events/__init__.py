"""Commands from events to data snapshots."""
