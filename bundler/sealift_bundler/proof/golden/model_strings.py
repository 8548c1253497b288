"""The strings that a model holds: what of them travels does so in its graph, whatever the golden examples are."""

import onnx

from sealift.model.documents.description import MISSING_TEXT
from sealift_bundler.converters import Candidate
from sealift_bundler.samples.generated.rows import Travelling


def travelling(candidate: Candidate) -> Travelling:
    """Collect what a graph and its front end hold of the model's own strings."""
    strings = _strings_of(onnx.load_model_from_string(candidate.graph)) - {MISSING_TEXT}
    declared = candidate.frontend or {}
    frontends = declared.get("counters") or declared.get("frontends") or []
    terms = {
        column.name: frontends[tensor.frontend].get("vocabulary", ())
        for tensor in candidate.inputs
        if tensor.frontend is not None
        for column in tensor.columns
    }
    return Travelling(frozenset(strings), terms)


def _strings_of(model: onnx.ModelProto) -> set[str]:
    tensors = [*model.graph.initializer]
    found: set[bytes] = set()
    for node in model.graph.node:
        for attribute in node.attribute:
            found.update(attribute.strings)
            tensors.append(attribute.t)
    for tensor in tensors:
        found.update(tensor.string_data)
    return {text.decode("utf-8", "replace") for text in found}
