"""The store: verified models on disk, active by generation, read by any language through `current/`."""

from sealift.store.store import Store

__all__ = ["Store"]
