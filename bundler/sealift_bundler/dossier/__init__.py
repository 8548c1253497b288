"""The dossier of a model version: all that a reviewer reads before deciding, as one page for paper and screen."""
