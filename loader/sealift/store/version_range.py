"""Version ranges: comma-separated comparisons that must all hold, for example `>=1.2,<2`. Pure."""

import re
from typing import NamedTuple

from sealift.errors import UsageError
from sealift_common.names import Version

_CLAUSE = re.compile(r"(==|!=|>=|<=|>|<|=)?\s*([0-9][0-9A-Za-z.+-]*)", re.ASCII)
_PARTIAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class VersionRange(NamedTuple):
    """A set of versions; a pre-release is in it only if a comparison names a pre-release.

    `<2` ends before the pre-releases of 2.0.0: a caller who asks for it does not want a 2.
    """

    clauses: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> "VersionRange":
        """Parse a range; a bare version means exactly that one, and `2` means `2.0.0`.

        Raises:
            UsageError: the text is not a range.
        """
        clauses = []
        for part in text.split(","):
            match = _CLAUSE.fullmatch(part.strip())
            if match is None:
                raise UsageError(f"version range {text[:120]!r} is not understood; expected for example '>=1.2,<2'")
            operator, version = match[1] or "==", match[2]
            if _PARTIAL.fullmatch(version):
                version += ".0" * (2 - version.count("."))
            clauses.append((operator.replace("=", "==") if operator == "=" else operator, Version.parse(version)))
        return cls(tuple(clauses))

    def contains(self, version: Version) -> bool:
        """Return whether `version` satisfies every comparison."""
        if version.prerelease and not any(bound.prerelease for _, bound in self.clauses):
            return False
        return all(_holds(version, operator, bound) for operator, bound in self.clauses)


def _holds(version: Version, operator: str, bound: Version) -> bool:
    return {
        "==": version == bound,
        "!=": version != bound,
        ">=": version >= bound,
        "<=": version <= bound,
        ">": version > bound,
        "<": version < bound and (bool(bound.prerelease) or version.release != bound.release),
    }[operator]
