"""Events of a GitLab instance as training data that can be cited and erased."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealift_pipeline.gate.judging import compare
    from sealift_pipeline.reading import Snapshot, events, pseudonym, scrub, split

_LAZY = dict.fromkeys(("events", "split", "scrub", "pseudonym", "Snapshot"), "sealift_pipeline.reading")
_LAZY["compare"] = "sealift_pipeline.gate.judging"

__all__ = ["Snapshot", "compare", "events", "pseudonym", "scrub", "split"]


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'sealift_pipeline' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)
