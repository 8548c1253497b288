"""Which locales a graph needs: ONNX Runtime refuses to change the case of text where the machine lacks the locale."""

from collections.abc import Iterator

import onnx

# What StringNormalizer means when it names none (onnxruntime, `string_normalizer.cc`, on Linux).
_DEFAULT = "en_US.UTF-8"


def text_locales(graph: bytes) -> tuple[str, ...]:
    """Return the locales of the text operators that change case in a serialized model, sorted."""
    model = onnx.load_model_from_string(graph)
    return tuple(sorted(set(_of_nodes(model.graph))))


def _of_nodes(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        attributes = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "StringNormalizer":
            action = attributes.get("case_change_action")
            sensitive = attributes.get("is_case_sensitive")
            if (action is not None and action.s != b"NONE") or sensitive is None or sensitive.i == 0:
                yield attributes["locale"].s.decode() if "locale" in attributes else _DEFAULT
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs]:
                yield from _of_nodes(inner)
