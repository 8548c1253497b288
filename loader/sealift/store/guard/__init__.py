"""Guards of a store: owners and modes, the lock, processes, room on the disk."""
