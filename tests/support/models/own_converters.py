"""Converters for the estimators of a team's own, as skl2onnx takes them."""

from onnx import TensorProto, helper
from skl2onnx import update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from support.models.own_estimators import (
    BOUND,
    Above,
    Clipped,
    ClippedCounts,
    ClippedFloat32,
    ClippedInBranch,
    ClippedWrong,
    Halves,
    LabelAlone,
    Lengths,
    OwnKNeighbors,
    OwnVectorizer,
    Sign,
    Total,
)


def no_shape(operator):
    raise AssertionError("not called")


def no_converter(scope, operator, container):
    raise AssertionError("not called")


def same_shape(operator):
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, operator.raw_operator.n_features_in_])


def bounds(scope, container, dtype, bound):
    names = [scope.get_unique_variable_name(name) for name in ("low", "high")]
    for name, value in zip(names, (-bound, bound), strict=True):
        container.add_initializer(name, dtype, [], [value])
    return names


def clip(scope, operator, container):
    double = type(operator.inputs[0].type).__name__.startswith("Double")
    bound = operator.raw_operator.WRITTEN
    low, high = bounds(scope, container, TensorProto.DOUBLE if double else TensorProto.FLOAT, bound)
    container.add_node("Clip", [operator.inputs[0].full_name, low, high], operator.outputs[0].full_name, op_version=13)


def clip_float32(scope, operator, container):
    assert isinstance(operator.inputs[0].type, FloatTensorType), "made for float32"
    clip(scope, operator, container)


def clip_in_branch(scope, operator, container):
    double = type(operator.inputs[0].type).__name__.startswith("Double")
    kind = TensorProto.DOUBLE if double else TensorProto.FLOAT
    low, high = bounds(scope, container, kind, BOUND)
    source = operator.inputs[0].full_name
    branches = {}
    for name in ("then_branch", "else_branch"):
        out = helper.make_tensor_value_info(f"{name}_out", kind, [None, None])
        node = helper.make_node("Clip", [source, low, high], [f"{name}_out"])
        branches[name] = helper.make_graph([node], name, [], [out])
    yes = scope.get_unique_variable_name("yes")
    container.add_initializer(yes, TensorProto.BOOL, [], [True])
    container.add_node("If", [yes], operator.outputs[0].full_name, op_version=16, **branches)


def length_shape(operator):
    operator.outputs[0].type = FloatTensorType([None, 1])


def length(scope, operator, container):
    known = operator.raw_operator.KNOWN
    container.add_node(
        "LabelEncoder", operator.inputs[0].full_name, operator.outputs[0].full_name, op_domain="ai.onnx.ml", op_version=2,
        keys_strings=list(known), values_floats=[float(len(city)) for city in known], default_float=-1.0,
    )  # fmt: skip


def sign_shape(operator):
    text = operator.raw_operator.classes_.dtype.kind in "OU"
    operator.outputs[0].type = (StringTensorType if text else Int64TensorType)([None])
    operator.outputs[1].type = operator.inputs[0].type.__class__([None, 2])


def sign(scope, operator, container):
    def add(operation, inputs, **attributes):
        name = scope.get_unique_variable_name("inner")
        container.add_node(operation, inputs, name, **attributes)
        return name

    kind = TensorProto.DOUBLE if type(operator.inputs[0].type).__name__.startswith("Double") else TensorProto.FLOAT
    constants = {}
    for name, dtype, shape, values in (
        ("zero", kind, [], [0.0]), ("one", kind, [], [1.0]), ("axis", TensorProto.INT64, [1], [1]),
        ("flat", TensorProto.INT64, [1], [-1]),
        ("names", TensorProto.STRING, [2], [str(label).encode() for label in operator.raw_operator.classes_]),
    ):  # fmt: skip
        constants[name] = scope.get_unique_variable_name(name)
        container.add_initializer(constants[name], dtype, shape, values)
    total = add("ReduceSum", [operator.inputs[0].full_name, constants["axis"]], op_version=13, keepdims=1)
    positive = add("Sigmoid", [total], op_version=13)
    negative = add("Sub", [constants["one"], positive], op_version=14)
    container.add_node("Concat", [negative, positive], operator.outputs[1].full_name, op_version=13, axis=1)
    index = add(
        "Cast", [add("Greater", [total, constants["zero"]], op_version=13)], op_version=13, to=TensorProto.INT64
    )
    label = add(
        "Gather", [constants["names"], add("Reshape", [index, constants["flat"]], op_version=14)], op_version=13
    )
    container.add_node("Identity", label, operator.outputs[0].full_name, op_version=16)


def above_shape(operator):
    operator.outputs[0].type = Int64TensorType([None])
    for output in operator.outputs[1:]:
        output.type = operator.inputs[0].type.__class__([None, 1])


def above(scope, operator, container):
    kind = TensorProto.DOUBLE if type(operator.inputs[0].type).__name__.startswith("Double") else TensorProto.FLOAT
    zero, first, score, yes = (scope.get_unique_variable_name(name) for name in ("zero", "first", "score", "yes"))
    container.add_initializer(zero, kind, [], [0.0])
    container.add_initializer(first, TensorProto.INT64, [1], [0])
    container.add_node("Gather", [operator.inputs[0].full_name, first], score, op_version=13, axis=1)
    container.add_node("Greater", [score, zero], yes, op_version=13)
    container.add_node("Cast", yes, operator.outputs[0].full_name, op_version=13, to=TensorProto.INT64)
    for output in operator.outputs[1:]:
        container.add_node("Identity", score, output.full_name, op_version=16)


def total_shape(operator):
    operator.outputs[0].type = operator.inputs[0].type.__class__([None, 1])


def total(scope, operator, container):
    axis = scope.get_unique_variable_name("axis")
    container.add_initializer(axis, TensorProto.INT64, [1], [1])
    source = operator.inputs[0].full_name
    container.add_node("ReduceSum", [source, axis], operator.outputs[0].full_name, op_version=13, keepdims=1)


def register():
    """Register all of them; skl2onnx's registry is the process's own, and no other file of tests has these classes."""
    for kind, shape, write in (
        (Clipped, same_shape, clip),
        (ClippedFloat32, same_shape, clip_float32),
        (ClippedWrong, same_shape, clip),
        (ClippedInBranch, same_shape, clip_in_branch),
        (ClippedCounts, same_shape, clip),
        (OwnKNeighbors, no_shape, no_converter),
        (Lengths, length_shape, length),
        (OwnVectorizer, length_shape, length),
        (Total, total_shape, total),
        (Above, above_shape, above),
        (Halves, above_shape, above),
        (LabelAlone, above_shape, above),
    ):
        update_registered_converter(kind, f"Test{kind.__name__}", shape, write)
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [False, True]}
    update_registered_converter(Sign, "TestSign", sign_shape, sign, options=options)
