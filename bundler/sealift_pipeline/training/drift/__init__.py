"""How far new rows are from those that a model learned from."""
