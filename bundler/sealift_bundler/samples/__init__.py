"""The caller's sample rows: interfaces, files, the columns that a model was trained on."""
