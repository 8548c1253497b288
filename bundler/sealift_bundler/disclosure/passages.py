"""What is searched together: strings of one part of a file, and what each of them is called. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sealift_bundler.disclosure.patterns import Pattern
from sealift_bundler.disclosure.search import Hit, search

Strings = Sequence[str | bytes]
Search = Callable[[Strings], Iterator[Hit]]


@dataclass(frozen=True)
class Passage:
    """Strings, and the words for where each of them is; of every kind in them there will be one finding.

    Attributes:
        place: from the number of a string, from 0, to its place. Asked only where something was found.
        find: how they are searched.
        people: addresses in it are meant to be read: authors, who are listed and not refused.
    """

    strings: Strings
    place: Callable[[int], str]
    find: Search = search
    people: bool = False


@dataclass
class Bag:
    """Strings from all over a file, each with a place of its own."""

    _strings: list[str | bytes] = field(default_factory=list)
    _places: list[Callable[[], str]] = field(default_factory=list)

    def add(self, string: str | bytes, place: Callable[[], str]) -> None:
        """Put a string in."""
        self._strings.append(string)
        self._places.append(place)

    def passage(self) -> Passage:
        """Return what is in it."""
        return Passage(self._strings, lambda index: self._places[index]())


def specific(strings: Iterable[str | bytes]) -> Iterator[Hit]:
    """Search bytes that are no text, in which only what has a long fixed beginning can be told from chance."""
    return search(strings, kinds=_is_raw)


def _is_raw(pattern: Pattern) -> bool:
    return pattern.raw
