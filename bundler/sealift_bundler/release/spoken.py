"""What people type and a release signs, searched as a model's files are: reasons of withdrawals, notes of reviewers."""

from collections.abc import Iterable, Mapping

from sealift_bundler.disclosure import scan_text
from sealift_bundler.errors import DisclosureError
from sealift_common.review.dsse import parse_envelope
from sealift_common.review.statement import parse_statement


def require_harmless_reason(reason: str) -> None:
    """Check the reason of a withdrawal.

    Raises:
        DisclosureError: it holds a secret or personal data.
    """
    found = scan_text(reason, "the reason")
    if found:
        raise DisclosureError(
            f"the reason would disclose {found[0].line()}, and everybody who has a bundle reads it; nothing was "
            "released. Say it without that",
            found,
        )


def require_harmless_notes(reviews: Iterable[Mapping[str, object]], before: Iterable[Mapping[str, object]]) -> None:
    """Check the notes of the statements that a release would carry for the first time.

    Raises:
        DisclosureError: one holds a secret or personal data.
        MalformedError, LimitError: a statement is not of its form.
    """
    known = list(before)
    for document in reviews:
        if document in known:
            continue
        statement = parse_statement(parse_envelope(document, "a review").payload, "a review")
        found = scan_text(statement.note, f"the note for {statement.role!r} about {statement.subjects[0].model}")
        if found:
            raise DisclosureError(
                f"a review would disclose {found[0].line()}; nothing was released. Have its reviewer say the same "
                "again with another note",
                found,
            )
