"""Weights that nobody converts: checks of the headers of their formats. Nothing here runs or loads them."""
