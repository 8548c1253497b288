"""Data snapshots: which rows a model was trained on, in a file that anybody with the table can check."""
