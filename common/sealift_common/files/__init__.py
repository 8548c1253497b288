"""Files that others may read, write, lock or wait for: durable writes, scratch, outputs, secrets, locks."""
