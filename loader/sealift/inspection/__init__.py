"""Read a bundle before anything is written: open it, verify it, say what it claims, compare two."""
