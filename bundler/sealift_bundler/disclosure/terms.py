"""What terms of one vocabulary give away together: a text that stood in the data once, and was cut. Pure.

Two n-grams of which one ends as the other begins belong together where neither has another neighbor. A random token is
such a chain from end to end; words are not, for many words share their parts.

Where words are the terms, a token is cut at its hyphens. Its fixed beginning is a term of its own, and says that others
are the rest.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from sealift_bundler.disclosure.randomness import is_piece
from sealift_bundler.disclosure.search import Hit

_SHORTEST = 3
_BEGINNINGS = {
    **dict.fromkeys(
        [
            "glpat",
            "gloas",
            "gldt",
            "glrt",
            "glrtr",
            "glcbt",
            "glptt",
            "glft",
            "glimt",
            "glagent",
            "glsoat",
            "glffct",
            "glwt",
        ],
        "gitlab-token",
    ),
    **dict.fromkeys(["xoxb", "xoxp", "xoxa", "xoxe", "xoxo", "xoxr", "xoxs", "xapp"], "slack-token"),
}
_MAIL = re.compile(r"[A-Za-z0-9]@[A-Za-z0-9]")


def joined(terms: Sequence[str]) -> tuple[list[str], list[int]]:
    """Join the longest n-grams of a vocabulary to chains; return them, and the term that each begins with."""
    longest = max(map(len, terms), default=0)
    if longest < _SHORTEST:
        return [], []
    places = {term: place for place, term in enumerate(terms) if len(term) == longest}
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, int] = defaultdict(int)
    for term in places:
        after[term[:-1]].append(term)
        before[term[1:]] += 1
    following = {
        term: after[term[1:]][0] for term in places if len(after.get(term[1:], ())) == 1 and before[term[1:]] == 1
    }
    inside = set(following.values())
    chains, first = [], []
    for term, place in places.items():
        if term in inside or term not in following:
            continue
        chain, current = [term], term
        while current in following:
            current = following[current]
            chain.append(current[-1])
        chains.append("".join(chain))
        first.append(place)
    return chains, first


def mail_signs(terms: Sequence[str | bytes]) -> Iterator[Hit]:
    """Yield terms that are the middle of an e-mail address."""
    for index, term in enumerate(terms):
        if isinstance(term, str) and "@" in term and len(term) > _SHORTEST and _MAIL.search(term):
            yield Hit("e-mail", index, term.encode())


def token_pieces(terms: Sequence[str | bytes]) -> Iterator[Hit]:
    """Yield terms that look like pieces of a token, where its fixed beginning is a term as well."""
    kind = next((_BEGINNINGS[word] for word in map(_lower, terms) if word in _BEGINNINGS), None)
    if kind is None:
        return
    for index, term in enumerate(terms):
        if isinstance(term, str) and is_piece(term.replace("_", "")):
            yield Hit(kind, index, term.encode())


def _lower(term: str | bytes) -> str:
    return term.lower() if isinstance(term, str) else ""
