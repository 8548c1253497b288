"""Bundles in a registry inside the closed network: an OCI registry, or GitLab's generic packages. Never trusted.

Imported only where an address stands in place of a file; nothing else of Sealift opens a connection. HTTP is the
standard library's `http.client`, on which urllib3, there for python-tuf, is built too: one connection to a host and our
own limits, redirects and retries are all it takes, and no other policy stands between a refusal and its reason.
"""
