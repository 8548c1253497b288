"""Commands from data snapshots to model versions."""
