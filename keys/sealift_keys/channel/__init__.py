"""A channel directory: its metadata, its records, and what is signed and what expires in it."""
