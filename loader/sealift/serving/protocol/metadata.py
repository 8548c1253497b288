"""What a model says of itself: everything that a client needs in order to ask it, and no other document."""

from typing import Any

from sealift.model.documents.description import (
    METHOD_OF_ROLE,
    Column,
    Dimension,
    ModelDescription,
    TensorInput,
    TensorOutput,
)
from sealift.serving.protocol.tensors import datatype_of

PLATFORM = "sealift_onnx"
# Of a column whose dtype nobody recorded.
_DTYPE_OF_KIND = {"bool": "bool", "float": "float64", "int": "int64", "str": "object"}


def metadata(name: str, description: ModelDescription, digest: str) -> dict[str, Any]:
    """Return the document of the metadata route.

    Args:
        name: the model's name, as the client wrote it.
        digest: of the manifest, `sha256:<hex>`.
    """
    classes = description.classes
    parameters: dict[str, Any] = {
        "digest": digest,
        "interface": description.interface,
        "task": description.task,
        "methods": list(description.methods),
        "graphs": list(description.graphs),
        "classes": None if classes is None else list(classes.values),
        "tolerance": {"atol": description.tolerance.atol, "rtol": description.tolerance.rtol},
        "run": {
            "inputs": [_tensor(tensor) for tensor in description.inputs],
            "outputs": [_tensor(tensor) for tensor in description.outputs],
        },
    }
    graph = parameters["run"]
    by_rows = description.interface in ("columns", "matrix", "text")
    return {
        "name": name,
        "versions": [description.version],
        "platform": PLATFORM,
        "inputs": _inputs(description) if by_rows else graph["inputs"],
        "outputs": _outputs(description) if by_rows else graph["outputs"],
        "parameters": parameters,
    }


def _inputs(description: ModelDescription) -> list[dict[str, Any]]:
    columns = description.columns
    if description.interface == "columns":
        return [{**_column(column), "name": column.name, "shape": [-1]} for column in columns]
    if description.interface == "text":
        return [{**_column(columns[0]), "name": "rows", "shape": [-1]}]
    one = _column(columns[0])
    shape = [-1, len(columns)]
    names = {"columns": [column.name for column in columns]}
    return [{"name": "rows", "datatype": one["datatype"], "shape": shape, "parameters": {**one["parameters"], **names}}]


def _column(column: Column) -> dict[str, Any]:
    parameters: dict[str, Any] = {"kind": column.kind, "missing": column.missing is not None}
    if column.categories is not None:
        parameters["categories"] = list(column.categories)
    dtype = column.dtype or _DTYPE_OF_KIND[column.kind]
    return {"datatype": datatype_of(dtype), "parameters": parameters}


def _outputs(description: ModelDescription) -> list[dict[str, Any]]:
    by_method: dict[str, list[TensorOutput]] = {}
    for output in description.outputs:
        if output.role in METHOD_OF_ROLE:
            by_method.setdefault(METHOD_OF_ROLE[output.role], []).append(output)
    return [
        {
            "name": method if len(outputs) == 1 else f"{method}.{place}",
            "datatype": datatype_of(output.returns),
            "shape": _shape(output.shape),
        }
        for method, outputs in by_method.items()
        for place, output in enumerate(outputs)
    ]


def _tensor(tensor: TensorInput | TensorOutput) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": datatype_of(tensor.dtype), "shape": _shape(tensor.shape)}


def _shape(shape: tuple[Dimension, ...]) -> list[int]:
    return [size if isinstance(size, int) else -1 for size in shape]
