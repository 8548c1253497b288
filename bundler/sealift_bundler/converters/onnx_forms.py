"""What exporters write into ready-made graphs and no bundle carries, and what stands for it without another answer.

* A ZipMap makes a list of dicts of a tensor of scores; skl2onnx, onnxmltools and CatBoost end classifiers so. The
  tensor takes its place, under the same name, and its columns are in the order of the labels that the ZipMap names.
* An operator set that is imported twice, as skl2onnx 1.20 writes every graph, is imported once.

Anything else of a graph stays byte for byte what it was.
"""

from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper

from sealift.model.documents.description import Classes
from sealift_bundler.errors import ConversionError

_ML = "ai.onnx.ml"


def to_plain_form(model: onnx.ModelProto) -> tuple[bool, Classes | None]:
    """Change `model` to the form that bundles carry.

    Returns:
        Whether anything was changed, and the labels of its scores where a ZipMap names them.

    Raises:
        ConversionError: the model imports two versions of one operator set.
    """
    imported_once = _import_once(model)
    labels = list(_replace_maps(model))
    # Several heads have labels of their own, and `model.json` has room for those of one.
    return bool(imported_once or labels), labels[0] if len(labels) == 1 else None


def _import_once(model: onnx.ModelProto) -> bool:
    seen: dict[str, int] = {}
    kept: list[onnx.OperatorSetIdProto] = []
    for opset in model.opset_import:
        domain = opset.domain or "ai.onnx"
        if seen.setdefault(domain, opset.version) != opset.version:
            raise ConversionError(
                f"the model imports the operators of {domain[:80]!r} in the versions {seen[domain]} and "
                f"{opset.version}; export it again with one of them"
            )
        if len(seen) > len(kept):
            kept.append(opset)
    if len(kept) == len(model.opset_import):
        return False
    once = [helper.make_opsetid(opset.domain, opset.version) for opset in kept]
    del model.opset_import[:]
    model.opset_import.extend(once)
    return True


def _replace_maps(model: onnx.ModelProto) -> Iterator[Classes]:
    """Put the tensor in the place of each ZipMap that is an output of the graph; yield its labels."""
    outputs = {value.name: value for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type != "ZipMap" or node.domain != _ML or len(node.output) != 1:
            continue
        output = outputs.get(node.output[0])
        if output is None:
            continue
        labels = _labels(node)
        node.CopyFrom(helper.make_node("Identity", list(node.input), list(node.output), name=node.name))
        # ZipMap takes float32 alone.
        shape: list[str | int | None] = ["rows", len(labels.values)]
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))
        yield labels


def _labels(node: onnx.NodeProto) -> Classes:
    for attribute in node.attribute:
        if attribute.name == "classlabels_int64s" and attribute.ints:
            return Classes("int64", tuple(attribute.ints))
        if attribute.name == "classlabels_strings" and attribute.strings:
            return Classes("object", tuple(text.decode("utf-8", "replace") for text in attribute.strings))
    raise ConversionError(f"the ZipMap {node.name[:80]!r} names no labels; export the model without ZipMap")
