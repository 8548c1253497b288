"""The texts of an ONNX graph: categories, classes, names, metadata, and whatever a field holds that nobody knows. Pure.

The walk follows the wire format by the field numbers of `onnx.proto`. Every field of bytes that is not known to hold
numbers or a message is text, so a field that a later version adds is searched as well. Numbers are passed over in one
step each; in their bytes, only tokens and keys of a fixed beginning are looked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from mmap import mmap

from sealift.errors import LimitError
from sealift.limits import LIMITS
from sealift.model.runtime.wire import BYTES, fields
from sealift_bundler.disclosure import numbers as in_numbers
from sealift_bundler.disclosure.finding import shown
from sealift_bundler.disclosure.passages import Bag, Passage, specific

# Of a message: the fields that hold messages, and which. From onnx.proto.
_MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "operator set", 14: "metadata", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "metadata", 4: "metadata"},
    "function": {7: "node", 9: "operator set", 11: "attribute", 12: "value", 14: "metadata"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 15: "sparse tensor", 16: "metadata"},
    "node": {5: "attribute", 9: "metadata"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "metadata", 16: "metadata"},
    "value": {4: "metadata"},
    "operator set": {},
    "metadata": {},
}
# The fields of packed numbers.
_NUMBERS: Mapping[str, frozenset[int]] = {
    "tensor": frozenset({1, 4, 5, 7, 9, 10, 11}),
    "attribute": frozenset({7, 8}),
    "sparse tensor": frozenset({3}),
}
# Of a tensor: the type of its data, and the fields of long numbers with theirs.
_DATA_TYPE, _INT64_DATA, _RAW_DATA, _DOUBLE_DATA, _UINT64_DATA = 2, 7, 9, 10, 11
_TYPES = {_INT64_DATA: in_numbers.INT64, _DOUBLE_DATA: in_numbers.DOUBLE, _UINT64_DATA: in_numbers.UINT64}
# Integers of an attribute, each a field of its own.
_RUN_OF_FIELDS, _TAG_OF_INTEGER = 0, 0x40
_STRINGS = {"attribute": 9, "tensor": 6}
# What people call the texts.
_TITLES: Mapping[tuple[str, int], str] = {
    ("model", 2): "producer_name",
    ("model", 3): "producer_version",
    ("model", 4): "domain",
    ("model", 6): "doc_string",
    ("graph", 2): "name",
    ("graph", 10): "doc_string",
    ("node", 1): "input",
    ("node", 2): "output",
    ("node", 3): "name",
    ("node", 6): "doc_string",
    ("attribute", 4): "value",
    ("attribute", 1): "name",
    ("tensor", 8): "name",
    ("value", 1): "name",
    ("metadata", 1): "key",
    ("metadata", 2): "value",
}
# An attribute's numbers, one a field: floats (7, four bytes) and integers (8, a varint); and what a forest says of each
# node, in strings (9).
_RUN = re.compile(
    rb"(?:\x3d[\x00-\xff]{4})++|(?:\x40[\x80-\xff]*+[\x00-\x7f])++"
    rb"|(?:\x4a(?:\x04LEAF|\x0aBRANCH_LEQ|\x0aBRANCH_GTE|\x0aBRANCH_NEQ|\x09BRANCH_(?:LT|GT|EQ)))++"
)
# How the values of specific patterns begin, as they are written.
_RAW_STARTS = tuple(
    b"glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glagent- GR1348941 ghp_ gho_ ghs_ github_pat_ AKIA ASIA "
    b"xoxb- xoxp- xapp- eyJhbGci eyJ0eXAi eyJraWQi -----BEGIN AGE-SECRET-KEY-".split()
)
_RAW_AROUND = 400
_HOPS = 16


def graph_passages(data: bytes, columns: Mapping[str, Sequence[str]]) -> Iterator[Passage]:
    """Yield the texts of a `model.onnx`.

    Args:
        columns: names of the columns of each input tensor, so that categories have the name of theirs.

    Raises:
        MalformedError: it is not an ONNX model.
        LimitError: it is nested too deeply.
    """
    walk = _Walk(data, columns)
    walk.message("model", 0, len(data), 0, _Place("the model"))
    yield from (texts.passage() for texts in walk.texts.values())
    yield from walk.lists
    yield numbers(data, walk.numbers)


def numbers(data: bytes | mmap, ranges: Sequence[tuple[int, int]]) -> Passage:
    """Return what is worth a look in bytes that should be numbers."""
    windows, starts = [], []
    for start, end in ranges:
        for beginning in _RAW_STARTS:
            place = data.find(beginning, start, end)
            while place >= 0:
                windows.append(data[place : min(end, place + _RAW_AROUND)].replace(b"\0", b" "))
                starts.append(place)
                place = data.find(beginning, place + _RAW_AROUND, end)
    return Passage(windows, lambda index: f"byte {starts[index]:,}, among numbers", specific)


@dataclass(frozen=True)
class _Place:
    """Where the walk is, in words, and the node that it is in."""

    words: str
    node: "_Node | None" = None


@dataclass
class _Node:
    number: int
    operator: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def words(self) -> str:
        return f"node {self.number:,} {shown(self.operator)}"


@dataclass
class _Message:
    """What the walk found in the message that it is in."""

    kind: str
    place: _Place
    name: bytes = b""
    data_type: int = 0
    strings: list[bytes] = field(default_factory=list)
    # Field, start and end.
    numbers: list[tuple[int, int, int]] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)


class _Walk:
    """One walk through a model; collects its texts, lists of strings, and the ranges of its numbers."""

    def __init__(self, data: bytes, columns: Mapping[str, Sequence[str]]) -> None:
        # By the kind of message, so that metadata and names of nodes are findings of their own.
        self.texts: dict[str, Bag] = {}
        self.lists: list[Passage] = []
        self.numbers: list[tuple[int, int]] = []
        self._data = data
        self._columns = columns
        self._nodes = 0
        self._producers: dict[str, _Node] = {}
        self._indices: dict[str, int] = {}

    def message(self, kind: str, start: int, end: int, depth: int, place: _Place) -> None:
        """Walk through a message and what is in it."""
        if depth > LIMITS.graph_depth:
            raise LimitError(f"the graph is nested more than {LIMITS.graph_depth} deep")
        if kind == "node":
            self._nodes += 1
            place = _Place("", _Node(self._nodes))
        message = _Message(kind, place)
        inner = _MESSAGES[kind]
        for number, wire, value, first, last in self._fields(message, start, end):
            if wire != BYTES:
                if (kind, number) == ("tensor", _DATA_TYPE):
                    message.data_type = value
                continue
            count = message.counts[number] = message.counts.get(number, 0) + 1
            if number in inner:
                words = f"{inner[number]} {count:,}" if place.node is None else place.words
                self.message(inner[number], first, last, depth + 1, _Place(words, place.node))
            else:
                self._field(message, number, first, last)
        if kind == "node" and place.node is not None:
            self._producers.update(dict.fromkeys(place.node.outputs, place.node))
        self.lists += self._numbers_of(message)
        if message.strings:
            self.lists.append(
                Passage(message.strings, self._list_place(kind, place, message.name, len(message.strings)))
            )

    def _field(self, message: "_Message", number: int, first: int, last: int) -> None:
        kind = message.kind
        if number in _NUMBERS.get(kind, ()):
            self.numbers.append((first, last))
            message.numbers.append((number, first, last))
            self._note_index(message, number, first, last)
            return
        text = self._data[first:last]
        if number == _STRINGS.get(kind):
            message.strings.append(text)
            return
        self._note(message, number, text)
        self.texts.setdefault(kind, Bag()).add(text, partial(_words, kind, number, message.place))

    def _numbers_of(self, message: "_Message") -> Iterator[Passage]:
        """Yield what numbers of one tensor or attribute stand for: cards, or the letters of a text."""
        long: list[int | float] = []
        for number, first, last in message.numbers:
            data = self._data[first:last]
            if message.kind == "tensor":
                data_type = message.data_type if number == _RAW_DATA else _TYPES.get(number, 0)
                is_packed = number in (_INT64_DATA, _UINT64_DATA)
                long += in_numbers.integers(data) if is_packed else in_numbers.words(data, data_type)
                text = in_numbers.text_in(data, data_type)
                yield Passage(text, lambda _: f"text in {_title(message)}")
            elif message.kind == "attribute":
                long += in_numbers.integers(data, tagged=number == _RUN_OF_FIELDS)
        yield Passage(in_numbers.cards_among(long), lambda _: f"numbers of {_title(message)}")

    def _fields(self, message: "_Message", start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
        if message.kind != "attribute":
            yield from fields(self._data, start, end)
            return
        while start < end:
            run = _RUN.match(self._data, start, end)
            if run is not None:
                self.numbers.append(run.span())
                if self._data[start] == _TAG_OF_INTEGER:
                    message.numbers.append((_RUN_OF_FIELDS, *run.span()))
                start = run.end()
                continue
            field = next(fields(self._data, start, end))
            yield field
            start = field[-1]

    def _note(self, message: "_Message", number: int, text: bytes) -> None:
        """Remember what tells where a list of strings belongs."""
        kind, node = message.kind, message.place.node
        if (kind, number) in {("attribute", 1), ("tensor", 8)}:
            message.name = text
        if kind != "node" or node is None:
            return
        if number == 4:
            node.operator = text.decode("utf-8", "replace")
        elif number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(text.decode("utf-8", "replace"))

    def _note_index(self, message: "_Message", number: int, first: int, last: int) -> None:
        # `raw_data` of one int64: which column a Gather takes. Its name comes before it.
        if (message.kind, number, last - first) == ("tensor", _RAW_DATA, 8):
            name = message.name.decode("utf-8", "replace")
            self._indices[name] = int.from_bytes(self._data[first:last], "little")

    def _list_place(self, kind: str, place: _Place, name: bytes, total: int) -> Callable[[int], str]:
        def words(index: int) -> str:
            counted = f"{index + 1:,} of {total:,}"
            title = shown(name.decode("utf-8", "replace"))
            if place.node is None:
                return f"string {counted} of tensor {title}"
            column = self._column(place.node) if kind == "attribute" else None
            if column is not None:
                return f"category {counted} of column {shown(column)}"
            return f"{place.node.words()}, string {counted} of {kind} {title}"

        return words

    def _column(self, node: _Node) -> str | None:
        """Follow the first inputs up to the column that a node looks at."""
        index = 0
        for _ in range(_HOPS):
            if not node.inputs:
                return None
            tensor = node.inputs[0]
            if node.operator == "Gather" and len(node.inputs) == 2:
                index = self._indices.get(node.inputs[1], index)
            columns = self._columns.get(tensor, ())
            if columns:
                return columns[index] if index < len(columns) else None
            above = self._producers.get(tensor)
            if above is None:
                return None
            node = above
        return None


def _title(message: _Message) -> str:
    node = message.place.node
    where = "" if node is None else f"{node.words()}, "
    return f"{where}{message.kind} {shown(message.name.decode('utf-8', 'replace'))}"


def _words(kind: str, number: int, place: _Place) -> str:
    title = _TITLES.get((kind, number), f"field {number}")
    if place.node is None:
        return f"{title} of {place.words}"
    return f"{place.node.words()}, {title if kind == 'node' else f'{kind} {title}'}"
