"""Stores for the tests of applications: signed on the spot, installed by the real installer, without a build machine.

    with toy_store(models={"issue-triage": ToyModel(columns={"title": "str"}, classes=("bug", "feature"))}):
        application.triage(...)   # calls sealift.load("issue-triage")

It needs the base install only. Keys are made in memory, sign one throw-away channel, and are never written or
read; nothing here opens a private key, and nothing that an instance runs imports this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealift.testing.models import ToyFiles, ToyGraphs, ToyModel
    from sealift.testing.store import ToyStore, toy_store

_LAZY = {
    "ToyFiles": "sealift.testing.models",
    "ToyGraphs": "sealift.testing.models",
    "ToyModel": "sealift.testing.models",
    "ToyStore": "sealift.testing.store",
    "toy_store": "sealift.testing.store",
}

__all__ = ["ToyFiles", "ToyGraphs", "ToyModel", "ToyStore", "toy_store"]


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'sealift.testing' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)
