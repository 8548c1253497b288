"""Version ranges: comma-separated comparisons that must all hold, for example `>=1.2,<2`. Pure.

`~=1.2` and `==1.*` mean what they mean in PEP 440.
"""

import re
from typing import NamedTuple

from sealift.errors import UsageError
from sealift_common.names import Version

# Compiled where a caller gives a range.
_CLAUSE = r"(==|!=|>=|<=|~=|>|<|=)?\s*([0-9][0-9A-Za-z.+-]*)"
_FAMILY = r"(?:==?)?\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\.\*"
_PARTIAL = r"[0-9]+(\.[0-9]+)?"


class VersionRange(NamedTuple):
    """A set of versions; a pre-release is in it only if a comparison names a pre-release.

    `<2` ends before the pre-releases of 2.0.0: a caller who asks for it does not want a 2.
    """

    clauses: tuple[tuple[str, Version], ...]

    @classmethod
    def parse(cls, text: str) -> "VersionRange":
        """Parse a range; a bare version means exactly that one, and has to be whole.

        Raises:
            UsageError: the text is not a range.
        """
        clauses: list[tuple[str, Version]] = []
        for part in map(str.strip, text.split(",")):
            family, match = re.fullmatch(_FAMILY, part, re.ASCII), re.fullmatch(_CLAUSE, part, re.ASCII)
            if family is not None:
                clauses += _from_to(_whole(family[1]), family[1].count(".") + 1)
                continue
            if match is None:
                raise UsageError(f"version range {text[:120]!r} is not understood; expected for example '>=1.2,<2'")
            operator, version = match[1], match[2]
            partial = re.fullmatch(_PARTIAL, version, re.ASCII) is not None
            if operator is None and partial:
                raise _ambiguous(version)
            if operator == "~=":
                if "." not in version:
                    raise UsageError(f"version range {part[:120]!r} names one number; expected for example '~=1.2'")
                clauses += _from_to(_whole(version), 1 if partial else 2)
                continue
            clauses.append(("==" if operator in ("=", None) else operator, _whole(version)))
        return cls(tuple(clauses))

    def contains(self, version: Version) -> bool:
        """Return whether `version` satisfies every comparison."""
        if version.prerelease and not any(bound.prerelease for _, bound in self.clauses):
            return False
        return all(_holds(version, operator, bound) for operator, bound in self.clauses)


def _whole(text: str) -> Version:
    """Parse a version of which the last numbers may be left out: they are 0 then."""
    return Version.parse(text + ".0" * (2 - text.count(".")) if re.fullmatch(_PARTIAL, text, re.ASCII) else text)


def _from_to(first: Version, numbers: int) -> list[tuple[str, Version]]:
    """From `first` to before the next version that differs in its first numbers."""
    kept = first.release[:numbers]
    end = [*kept[:-1], kept[-1] + 1, 0, 0][:3]
    return [(">=", first), ("<", Version.parse(".".join(map(str, end))))]


def _ambiguous(version: str) -> UsageError:
    """Any version that begins so, or the first of them? Who writes it may mean either."""
    (_, first), (_, end) = _from_to(_whole(version), version.count(".") + 1)
    return UsageError(
        f"version {version[:60]!r} is not whole; write '>={first},<{end}' for any that begins so, "
        f"or '=={first}' for that one"
    )


def _holds(version: Version, operator: str, bound: Version) -> bool:
    return {
        "==": version == bound,
        "!=": version != bound,
        ">=": version >= bound,
        "<=": version <= bound,
        ">": version > bound,
        "<": version < bound and (bool(bound.prerelease) or version.release != bound.release),
    }[operator]
