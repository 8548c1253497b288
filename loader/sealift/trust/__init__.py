"""Trust in the bytes that may run here: the pinned root, The Update Framework's client, and our own floors.

`pin` (the root that an admin compared by eye) → `client` (python-tuf's workflow over a bundle's
metadata) → `release` (what the channel lists) ; `floor` remembers what was seen, `verdict` says in
our words why something was refused, `chain` re-checks signed targets on every load.
"""
