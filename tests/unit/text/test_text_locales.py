"""The locale that a graph's text operators need is read off the graph."""

import pytest
from onnx import TensorProto, helper

from sealift_bundler.converters.graph import text_locales


def graph(**attributes):
    text = helper.make_tensor_value_info("x", TensorProto.STRING, [None])
    out = helper.make_tensor_value_info("y", TensorProto.STRING, [None])
    node = helper.make_node("StringNormalizer", ["x"], ["y"], **attributes)
    return helper.make_model(helper.make_graph([node], "g", [text], [out])).SerializeToString()


@pytest.mark.parametrize(
    ("attributes", "locales"),
    [
        ({"case_change_action": "LOWER", "locale": "C.UTF-8"}, ("C.UTF-8",)),
        ({"case_change_action": "LOWER"}, ("en_US.UTF-8",)),
        ({"case_change_action": "NONE", "is_case_sensitive": 1, "locale": "xx"}, ()),
        ({"stopwords": ["a"], "locale": "de_DE.UTF-8"}, ("de_DE.UTF-8",)),
    ],
)
def test_of_a_normalizer(attributes, locales):
    assert text_locales(graph(**attributes)) == locales


def test_inside_a_branch():
    inner = helper.make_graph(
        [helper.make_node("StringNormalizer", ["x"], ["z"], case_change_action="UPPER", locale="tr_TR.UTF-8")],
        "then",
        [],
        [helper.make_tensor_value_info("z", TensorProto.STRING, [None])],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    whole = helper.make_graph(
        [node],
        "g",
        [
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.STRING, [None]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [None])],
    )
    assert text_locales(helper.make_model(whole).SerializeToString()) == ("tr_TR.UTF-8",)
