"""Find secrets and personal data in what is about to leave: kinds, files, counts and places, and never a value. Pure."""

from sealift_bundler.disclosure.finding import Finding
from sealift_bundler.disclosure.scan import findings_in, scan_files, scan_text

__all__ = ["Finding", "findings_in", "scan_files", "scan_text"]
