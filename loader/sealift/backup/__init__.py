"""The whole store in one file, and back: see `backup.export` and `backup.restore`."""
