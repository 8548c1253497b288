"""Who may change a store, and who is using it: owners and modes, the lock, processes, room on the disk."""
