"""A release's contents, for the people who decide about it: what changes, and what each version holds and proves."""
