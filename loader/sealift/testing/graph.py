"""The graph of a toy model: one column looked up among known values; each value has its answer.

    Gather (the column) → [Cast] → LabelEncoder (value → place) → Gather (place → label or number)
                                                                → Gather (place → probabilities)

Field numbers are those of `onnx.proto`, which never change.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealift.model.runtime.wire import encode

IR_VERSION = 8
OPSETS = {"ai.onnx": 18, "ai.onnx.ml": 3}
# The lowest that knows this IR version and these opsets, and that the product supports.
ONNXRUNTIME = "1.17"

_ELEMENT = {"float32": 1, "int64": 7, "object": 8, "string": 8, "bool": 9, "float64": 11}
_INT, _STRING, _FLOATS, _INTS, _STRINGS = 2, 3, 6, 7, 8

Value = str | int | float


def lookup_graph(
    inputs: Sequence[tuple[str, str, int]],
    key: tuple[str, int],
    known: Sequence[Value],
    outputs: Sequence[tuple[str, NDArray[np.generic]]],
) -> bytes:
    """Write the graph as a serialized `ModelProto`.

    Args:
        inputs: name, dtype (`string` or `float64`) and number of columns of each input, of shape [rows, columns].
        key: the input and the place of the column that decides.
        known: its values, texts or numbers; every other value takes the last place.
        outputs: a name and a table each: its row at the place of the value is the answer.
    """
    texts = next(dtype for name, dtype, _ in inputs if name == key[0]) == "string"
    nodes = [
        _node("Gather", [key[0], "column"], ["key"], _attribute("axis", _INT, encode(3, 1))),
        *(
            []
            if texts
            else [_node("Cast", ["key"], ["number"], _attribute("to", _INT, encode(3, _ELEMENT["float32"])))]
        ),
        _encoder("key" if texts else "number", known, texts=texts),
        *[
            _node("Gather", [f"{name}_table", "place"], [name], _attribute("axis", _INT, encode(3, 0)))
            for name, _ in outputs
        ],
    ]
    constants = [_tensor("column", np.array(key[1], dtype=np.int64))]
    constants += [_tensor(f"{name}_table", table) for name, table in outputs]
    graph = b"".join(
        [
            *[encode(1, node) for node in nodes],
            encode(2, "toy"),
            *[encode(5, constant) for constant in constants],
            *[encode(11, _value(name, dtype, width)) for name, dtype, width in inputs],
            *[encode(12, _value(name, table.dtype.name, *table.shape[1:])) for name, table in outputs],
        ]
    )
    domains = {"ai.onnx": "", "ai.onnx.ml": "ai.onnx.ml"}
    opsets = [encode(8, encode(1, domains[name]) + encode(2, version)) for name, version in OPSETS.items()]
    return b"".join([encode(1, IR_VERSION), encode(2, "sealift.testing"), encode(7, graph), *opsets])


def _node(operator: str, inputs: list[str], outputs: list[str], *attributes: bytes, domain: str = "") -> bytes:
    names = [encode(1, name) for name in inputs] + [encode(2, name) for name in outputs]
    return b"".join([*names, encode(4, operator), *[encode(5, one) for one in attributes], encode(7, domain)])


def _attribute(name: str, kind: int, value: bytes) -> bytes:
    return encode(1, name) + value + encode(20, kind)


def _encoder(source: str, known: Sequence[Value], *, texts: bool) -> bytes:
    """Map each known value to its place, and every other to the place behind them."""
    # An encoder without any key is refused; U+10FFFF and NaN stand for missing values, which are not known either.
    keys = list(known) or ["\U0010ffff" if texts else float("nan")]
    places = list(range(len(known))) or [0]
    if texts:
        attribute = _attribute("keys_strings", _STRINGS, b"".join(encode(9, str(one)) for one in keys))
    else:
        attribute = _attribute("keys_floats", _FLOATS, encode(7, np.array(keys, dtype="<f4").tobytes()))
    values = _attribute("values_int64s", _INTS, b"".join(encode(8, place) for place in places))
    other = _attribute("default_int64", _INT, encode(3, len(known)))
    return _node("LabelEncoder", [source], ["place"], attribute, values, other, domain="ai.onnx.ml")


def _tensor(name: str, array: NDArray[np.generic]) -> bytes:
    dims = b"".join(encode(1, size) for size in array.shape)
    if array.dtype.kind == "O":
        data = b"".join(encode(6, str(text)) for text in array.ravel().tolist())
    else:
        data = encode(9, array.astype(array.dtype.newbyteorder("<")).tobytes())
    return dims + encode(2, _ELEMENT[array.dtype.name]) + data + encode(8, name)


def _value(name: str, dtype: str, *sizes: int) -> bytes:
    dimensions = encode(1, encode(2, "rows")) + b"".join(encode(1, encode(1, size)) for size in sizes)
    tensor = encode(1, _ELEMENT[dtype]) + encode(2, dimensions)
    return encode(1, name) + encode(2, encode(1, tensor))
