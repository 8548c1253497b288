"""Find secrets and personal data in what is about to leave: its kind, file, count and place, never the value. Pure."""

from sealift_bundler.disclosure.finding import Finding, redacted, withheld
from sealift_bundler.disclosure.judgement import Acceptance, Accepted, Disclosure, judge
from sealift_bundler.disclosure.scan import findings_in, scan_files, scan_text

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
