"""`model.json` as named tuples; schemas `sealift.model/1` to `/3`.

Parsing is strict: an unknown schema is an UnsupportedVersionError, everything else that is wrong a
MalformedError that names the place. Writing is the bundler's work.
"""

import re
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.documents.fields import Fields
from sealift_common.names import is_count
from sealift_common.parsing.strict_json import first_twice
from sealift_common.parsing.strict_json import parse as parse_json

SCHEMA = "sealift.model/1"
# The same, of a model whose sparse rows a reader of /1 would read otherwise than the original.
SPARSE_SCHEMA = "sealift.model/2"
# The same, of a version that holds something else that Sealift 0.1.0 does not know: a side file, say.
LATEST_SCHEMA = "sealift.model/3"
SCHEMAS = (SCHEMA, SPARSE_SCHEMA, LATEST_SCHEMA)
# What a version is: a model that answers, several graphs that belong together, or files that are never run.
MODEL, GRAPHS, FILES = "model", "graphs", "files"
FILE_NAME = "model.json"
GRAPH_FILE = "model.onnx"
GOLDEN_FILE = "golden.json"
FRONTEND_FILE = "frontend.json"

# Stands for None and NaN in string tensors, which have no missing value of their own. U+10FFFF is a
# noncharacter: Unicode reserves it for use inside programs, and real data that holds it is refused.
MISSING_TEXT = "\U0010ffff"

# An operator whose name begins so fails on rows that the original refuses: its name says why, and may end in the names
# of columns as a JSON list; the index that it fails on, from 1, says which of them.
REFUSES = "refuses: "

TENSOR_DTYPES = frozenset(
    ["bool", "float16", "float32", "float64", "string"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)
COLUMN_KINDS = frozenset(["bool", "float", "int", "str"])
INTERFACES = frozenset(["columns", "matrix", "text", "tensors"])
ROLES = frozenset(["label", "probabilities", "scores", "values", "transformed", "raw"])
TASKS = frozenset(["classification", "regression", "clustering", "outliers", "transformation", "tensors"])

# The method of a Model that each output answers; "raw" is reached by `run` alone.
METHOD_OF_ROLE = {
    "label": "predict",
    "values": "predict",
    "probabilities": "predict_proba",
    "scores": "decision_function",
    "transformed": "transform",
}

Dimension = int | str

# Of ONNX Runtime, nightly builds and release candidates too.
_RELEASE = r"[0-9]{1,9}(?:\.[0-9]{1,9}){1,3}(?:[.+a-z-][0-9A-Za-z.+-]{0,80})?"


class Column(NamedTuple):
    """One feature as the caller knows it.

    `missing` is None where the original model refuses a missing value, "nan" for numbers that may be
    NaN, and the token that stands for None and NaN in a string tensor. `categories` are all the values
    that the original takes, or None where it takes any. `missing_is` says whether a missing text was None or
    NaN when the model was proven, which scikit-learn tells apart; `dtype` is the NumPy dtype of the proven rows.
    """

    name: str
    kind: str
    missing: str | None
    infinite: bool = False
    categories: tuple[bool | int | float | str, ...] | None = None
    missing_is: str | None = None
    dtype: str | None = None


class TensorInput(NamedTuple):
    """One input of the graph, and the caller's columns it is made of; `rows` is the symbolic first dimension."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    columns: tuple[Column, ...]
    frontend: int | None


class TensorOutput(NamedTuple):
    """One output of the graph; `returns` is the NumPy dtype that the caller gets, e.g. "float64"."""

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    role: str
    returns: str


class Classes(NamedTuple):
    """The labels in the order of the probabilities; `dtype` is the original NumPy dtype, e.g. "bool", "object"."""

    dtype: str
    values: tuple[bool | int | float | str, ...]


class Requirements(NamedTuple):
    """Requirements of the graph.

    `opsets` maps a domain to its version. `locales` are those that text operators name; `architectures` are
    `platform.machine()` names such as "x86_64", empty where any will do.
    """

    onnxruntime: str
    ir_version: int
    opsets: Mapping[str, int]
    locales: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()


class Tolerance(NamedTuple):
    """Allowed distance of a score from the original: |ours - original| <= atol + rtol * |original|."""

    atol: float
    rtol: float


class ModelDescription(NamedTuple):
    """A parsed `model.json`."""

    name: str
    version: str
    task: str
    interface: str
    inputs: tuple[TensorInput, ...]
    outputs: tuple[TensorOutput, ...]
    classes: Classes | None
    requires: Requirements
    tolerance: Tolerance
    rung: str
    source: Mapping[str, Any]
    conversion: Mapping[str, Any]
    parity: Mapping[str, Any]
    kind: str = MODEL
    # Of the kind "graphs": their names, sorted; each has documents of its own.
    graphs: tuple[str, ...] = ()
    # Of the kind "files": the format of each file that is checked by its header.
    formats: Mapping[str, str] = MappingProxyType({})

    @classmethod
    def parse(cls, data: bytes) -> "ModelDescription":
        """Parse the bytes of a `model.json`.

        Raises:
            UnsupportedVersionError: the schema is one that this version does not know.
            LimitError: the document is larger or deeper than the limits.
            MalformedError: anything else that is not as the schema demands.
        """
        top = Fields(parse_json(data, FILE_NAME), FILE_NAME)
        schema = top.text("schema")
        if schema not in SCHEMAS:
            raise UnsupportedVersionError(
                f"{FILE_NAME} has schema {schema[:80]!r}; this Sealift knows {SCHEMA!r} to {LATEST_SCHEMA!r}; "
                "install a newer Sealift"
            )
        if schema == LATEST_SCHEMA and top.has("kind"):
            from sealift.model.documents.kinds import description_of_kind

            return description_of_kind(top)
        conversion = top.mapping("conversion")
        rung = conversion.get("rung")
        if not isinstance(rung, str):
            raise top.refuse("lacks 'conversion.rung'")
        description = cls(
            name=top.text("name"),
            version=top.text("version"),
            task=top.text("task", allowed=TASKS),
            interface=top.text("interface", allowed=INTERFACES),
            inputs=top.objects("inputs", _input),
            outputs=top.objects("outputs", _output),
            classes=_classes(top.optional_object("classes")),
            requires=requirements(top.object("requires")),
            tolerance=_tolerance(top.object("tolerance")),
            rung=rung,
            source=top.mapping("source"),
            conversion=conversion,
            parity=top.mapping("parity"),
        )
        top.close()
        _check_whole(description)
        return description

    @property
    def columns(self) -> tuple[Column, ...]:
        """The caller's columns, each once, in the order of the graph's inputs."""
        unique = {column.name: column for tensor in self.inputs for column in tensor.columns}
        return tuple(unique.values())

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that this model answers as well as `run`, e.g. ("predict", "predict_proba")."""
        found = [METHOD_OF_ROLE[output.role] for output in self.outputs if output.role in METHOD_OF_ROLE]
        return tuple(dict.fromkeys(found))

    @property
    def uses_frontend(self) -> bool:
        """Return whether text is counted by the declarative front end in `frontend.json`."""
        return any(tensor.frontend is not None for tensor in self.inputs)


def _column(fields: Fields) -> Column:
    column = Column(
        name=fields.text("name"),
        kind=fields.text("kind", allowed=COLUMN_KINDS),
        missing=fields.optional_text("missing"),
        infinite=fields.boolean("infinite") if fields.has("infinite") else False,
        categories=_categories(fields),
        missing_is=fields.text("missing_is", allowed=("None", "NaN")) if fields.has("missing_is") else None,
        dtype=fields.optional_text("dtype") if fields.has("dtype") else None,
    )
    fields.close()
    if column.kind != "str" and column.missing not in (None, "nan"):
        raise fields.refuse(f"has missing {column.missing!r:.80}; expected 'nan' or null for numbers")
    if column.dtype is not None and column.dtype not in TENSOR_DTYPES - {"bool", "string"}:
        raise fields.refuse(f"has dtype {column.dtype!r:.80}; expected one of NumPy's numbers, or null")
    return column


def _categories(fields: Fields) -> tuple[bool | int | float | str, ...] | None:
    values = fields.optional_array("categories")
    if values is None:
        return None
    expected = (str,) if fields.text("kind") == "str" else (bool, int, float)
    for value in values:
        if not isinstance(value, expected):
            raise fields.refuse(f"has the category {value!r:.80}, which is not of its kind")
    return tuple(values)


def _shape(fields: Fields) -> tuple[Dimension, ...]:
    shape = fields.array("shape")
    if len(shape) > LIMITS.tensor_rank:
        raise LimitError(f"a tensor of {FILE_NAME} has {len(shape)} dimensions; expected at most {LIMITS.tensor_rank}")
    for dimension in shape:
        if not isinstance(dimension, int | str) or isinstance(dimension, bool) or dimension == "":
            raise fields.refuse(f"has {dimension!r:.80} in its shape; expected integers and names")
        if isinstance(dimension, int) and not 1 <= dimension <= LIMITS.tensor_dimension:
            raise fields.refuse(f"has {dimension!r:.80} in its shape; expected 1 to {LIMITS.tensor_dimension:,}")
    return tuple(shape)


def _input(fields: Fields) -> TensorInput:
    tensor = TensorInput(
        name=fields.text("name"),
        dtype=fields.text("dtype", allowed=TENSOR_DTYPES),
        shape=_shape(fields),
        columns=fields.objects("columns", _column),
        frontend=fields.integer("frontend") if fields.has("frontend") else None,
    )
    fields.close()
    return tensor


def _output(fields: Fields) -> TensorOutput:
    dtype = fields.text("dtype", allowed=TENSOR_DTYPES)
    output = TensorOutput(
        name=fields.text("name"),
        dtype=dtype,
        shape=_shape(fields),
        role=fields.text("role", allowed=ROLES),
        returns=_numpy_dtype(fields),
    )
    fields.close()
    return output


def _numpy_dtype(fields: Fields, key: str = "returns") -> str:
    """A dtype name that is safe to hand to NumPy: no structured or void types from a document."""
    dtype = fields.text(key)
    if dtype not in TENSOR_DTYPES - {"string"} and dtype not in ("object", "str"):
        raise fields.refuse(f"has {key} {dtype[:80]!r}; expected a NumPy dtype, 'object' or 'str'")
    return dtype


def _classes(fields: Fields | None) -> Classes | None:
    if fields is None:
        return None
    dtype = _numpy_dtype(fields, "dtype")
    values = fields.array("values")
    fields.close()
    expected = (str,) if dtype in ("object", "str") else (bool,) if dtype == "bool" else (int, float)
    lowest, highest = _range(dtype)
    for value in values:
        if not isinstance(value, expected) or (dtype != "bool" and isinstance(value, bool)):
            raise fields.refuse(f"holds {value!r:.80}, which is not of dtype {dtype!r}")
        if isinstance(value, int | float) and not lowest <= value <= highest:
            raise fields.refuse(f"holds {value!r:.80}, which is beyond {dtype!r}")
    return Classes(dtype, tuple(values))


def _range(dtype: str) -> tuple[float, float]:
    """The numbers that a NumPy dtype holds, without NumPy."""
    bits = dtype.removeprefix("u").removeprefix("int")
    if not bits.isdigit():
        return {"float16": (-65504.0, 65504.0), "float32": (-3.4028235e38, 3.4028235e38)}.get(
            dtype, (-sys.float_info.max, sys.float_info.max)
        )
    whole = 2 ** int(bits)
    return (0, whole - 1) if dtype.startswith("u") else (-(whole // 2), whole // 2 - 1)


def requirements(fields: Fields) -> Requirements:
    """Read what a graph needs."""
    opsets = fields.mapping("opsets")
    for domain, version in opsets.items():
        if not isinstance(version, int) or isinstance(version, bool):
            raise fields.refuse(f"has opset {version!r:.80} for {domain!r:.80}; expected an integer")
    lowest = fields.text("onnxruntime")
    # A plain version of three numbers is one, and needs no pattern, which takes longer to compile than all else here.
    plain = len(numbers := lowest.split(".")) == 3 and all(is_count(number, 9) for number in numbers)
    if not plain and not re.fullmatch(_RELEASE, lowest, re.ASCII):
        raise fields.refuse(f"has onnxruntime {lowest[:80]!r}; expected a version like '1.17.0'")
    result = Requirements(
        lowest,
        fields.integer("ir_version"),
        opsets,
        locales=fields.texts("locales"),
        architectures=fields.texts("architectures"),
    )
    fields.close()
    count = len(opsets) + len(result.locales) + len(result.architectures)
    if count > LIMITS.model_requirements:
        raise LimitError(
            f"{FILE_NAME} requires {count:,} operator sets, locales and architectures; "
            f"expected at most {LIMITS.model_requirements}"
        )
    return result


def _tolerance(fields: Fields) -> Tolerance:
    result = Tolerance(atol=fields.number("atol"), rtol=fields.number("rtol"))
    fields.close()
    return result


def _check_whole(description: ModelDescription) -> None:
    """Check what no single field can say: unique names, and inputs that fit the interface."""
    for kind, names in (
        ("input", [tensor.name for tensor in description.inputs]),
        ("output", [output.name for output in description.outputs]),
        # A model of several labels has probabilities for each.
        ("role", [output.role for output in description.outputs if output.role not in ("raw", "probabilities")]),
    ):
        twice = first_twice(names)
        if twice is not None:
            raise MalformedError(f"{FILE_NAME} has the {kind} {twice[:80]!r} twice")
        if kind != "role" and not names:
            raise MalformedError(f"{FILE_NAME} has no {kind}; expected at least one")
    if description.interface in ("matrix", "text") and len(description.inputs) != 1 and not description.uses_frontend:
        raise MalformedError(f"{FILE_NAME} has interface {description.interface!r}, which takes exactly one input")
    if description.interface == "tensors":
        return
    for tensor in description.inputs:
        if not tensor.columns:
            raise MalformedError(f"{FILE_NAME} input {tensor.name[:80]!r} names no columns")
        _check_form(tensor, description.interface)
        width = tensor.shape[1] if len(tensor.shape) == 2 else 1
        if tensor.frontend is None and width != len(tensor.columns):
            raise MalformedError(
                f"{FILE_NAME} input {tensor.name[:80]!r} has shape {list(tensor.shape)} "
                f"and {len(tensor.columns)} columns"
            )
        text = [column.kind == "str" for column in tensor.columns]
        if tensor.frontend is None and (not all(text) if tensor.dtype == "string" else any(text)):
            raise MalformedError(f"{FILE_NAME} input {tensor.name[:80]!r} mixes text and numbers")


def _check_form(tensor: TensorInput, interface: str) -> None:
    """Check what making the tensor from rows relies on: its rank, and who counts text."""
    where = f"{FILE_NAME} input {tensor.name[:80]!r}"
    ranks = (1, 2) if tensor.dtype == "string" else (2,)
    if len(tensor.shape) not in ranks:
        raise MalformedError(f"{where} has shape {list(tensor.shape)!r:.80}; expected one row after the other")
    text = all(column.kind == "str" for column in tensor.columns)
    if interface == "matrix" and (tensor.frontend is not None or text):
        raise MalformedError(f"{where} takes text; expected numbers for the interface 'matrix'")
    if interface == "text" and not (text and len(tensor.columns) == 1):
        raise MalformedError(f"{where} takes other things than one text for the interface 'text'")
    if tensor.frontend is not None and (tensor.dtype in ("string", "bool") or not text):
        raise MalformedError(f"{where} of dtype {tensor.dtype!r} cannot hold the counts of a text")
