"""The description of a model that takes certain inputs; what it answers does not matter."""

from sealift.model.documents.description import (
    Classes,
    ModelDescription,
    Requirements,
    TensorOutput,
    Tolerance,
)


def description(interface, *inputs):
    """Of a model that takes these inputs, as rows of that interface."""
    return ModelDescription(
        name="toy",
        version="1.0.0",
        task="regression",
        interface=interface,
        inputs=inputs,
        outputs=(TensorOutput("values", "float32", ("rows",), "values", "float64"),),
        classes=Classes("bool", (False, True)),
        requires=Requirements("1.17.0", 8, {"ai.onnx": 18}),
        tolerance=Tolerance(1e-5, 1e-5),
        rung="float32",
        source={},
        conversion={},
        parity={},
    )
