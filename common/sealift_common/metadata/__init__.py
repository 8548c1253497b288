"""What TUF metadata says in fields of our own, and what follows from a new root. Pure."""
