"""The pinned root, and the policy beside it."""
