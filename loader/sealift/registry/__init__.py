"""Bundles in a registry inside the closed network: an OCI registry, or GitLab's generic packages. Never trusted.

Imported only where an address stands in place of a file; nothing else of Sealift opens a connection. HTTP is urllib3's,
which python-tuf brings, with our own limits, redirects and retries, so that no other policy stands between a refusal
and its reason (docs/decisions).
"""
