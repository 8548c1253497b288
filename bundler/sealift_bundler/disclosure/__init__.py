"""Find secrets and personal data in what is about to leave: its kind, file, count and place, never the value. Pure."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealift_bundler.disclosure.finding import Finding, redacted, withheld
    from sealift_bundler.disclosure.judgement import Acceptance, Accepted, Disclosure, judge
    from sealift_bundler.disclosure.scan import findings_in, scan_files, scan_text

# Imported when they are asked for: hiding what is in a text needs no reader of models.
_LAZY = {
    **dict.fromkeys(("Finding", "redacted", "withheld"), "sealift_bundler.disclosure.finding"),
    **dict.fromkeys(("Acceptance", "Accepted", "Disclosure", "judge"), "sealift_bundler.disclosure.judgement"),
    **dict.fromkeys(("findings_in", "scan_files", "scan_text"), "sealift_bundler.disclosure.scan"),
}

__all__ = [
    "Acceptance",
    "Accepted",
    "Disclosure",
    "Finding",
    "findings_in",
    "judge",
    "redacted",
    "scan_files",
    "scan_text",
    "withheld",
]


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'sealift_bundler.disclosure' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)
