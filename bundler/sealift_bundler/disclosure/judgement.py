"""Judge findings: what is refused, what a recipe accepts, and which addresses are those of authors. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sealift_bundler.disclosure.finding import Finding

# More addresses than this in one card or license are a list of people.
MAX_AUTHORS = 20


class Acceptance(NamedTuple):
    """A person's word that one finding may leave, from the recipe."""

    kind: str
    file: str
    fingerprint: str
    reason: str

    def fits(self, finding: Finding) -> bool:
        """Return whether this is the finding that was accepted."""
        return (self.kind, self.file) == (finding.kind, finding.file) and self.fingerprint == finding.fingerprint


class Accepted(NamedTuple):
    """A finding, and why it may leave."""

    finding: Finding
    reason: str

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {**self.finding.document(), "reason": self.reason}


class Disclosure(NamedTuple):
    """What a scan came to.

    Attributes:
        refused: nobody accepted them: the files must not leave.
        accepted: with their reasons, for those who review the model.
        authors: addresses that stand where authors are named; a reader may want to write to them.
        unused: acceptances of something that is not there, or no longer the same.
    """

    refused: tuple[Finding, ...]
    accepted: tuple[Accepted, ...] = ()
    authors: tuple[Finding, ...] = ()
    unused: tuple[Acceptance, ...] = ()


def judge(findings: Iterable[Finding], acceptances: Sequence[Acceptance] = ()) -> Disclosure:
    """Judge findings by a recipe's acceptances.

    An acceptance names kind, file and the fingerprint of the set of values: one value more, less or other is another
    finding.
    """
    refused, accepted, authors = [], [], []
    used: set[Acceptance] = set()
    for finding in findings:
        # The fingerprint is slow: it is compared last.
        match = next((one for one in acceptances if one.fits(finding)), None)
        if match is not None:
            used.add(match)
            accepted.append(Accepted(finding, match.reason))
        elif finding.people and finding.kind == "e-mail" and finding.different <= MAX_AUTHORS:
            authors.append(finding)
        else:
            refused.append(finding)
    unused = tuple(one for one in acceptances if one not in used)
    return Disclosure(tuple(refused), tuple(accepted), tuple(authors), unused)
