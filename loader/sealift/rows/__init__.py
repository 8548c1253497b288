"""Rows out of files, in batches: what `sealift predict` reads, whatever the file holds."""
