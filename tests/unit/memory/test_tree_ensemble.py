"""One writer for the trees of forests and boosters: what each way to sum them gives."""

import numpy as np
import onnx
import pytest

from sealift.model.documents.description import TensorInput, TensorOutput
from sealift.model.runtime.onnx import onnxruntime
from sealift_bundler.converters.graph import Graph
from sealift_bundler.converters.steps.trees.ensemble import Tree, TreeEnsemble, leaf

ROWS = np.array([[0.0], [0.5], [0.75], [1.0], [np.nan]])


def stump(low, high, target=0, *, missing_left=True):
    """Rows up to 0.5 get `low`, the others `high`."""
    value = np.array([[0.0] * len(low), low, high]) if isinstance(low, list) else np.array([0.0, low, high])
    return Tree(
        column=np.array([0, 7, 7]),
        threshold=np.array([0.5, np.nan, np.nan]),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        missing_left=np.array([missing_left, False, False]),
        value=value,
        target=target,
    )


def sums(ensemble, way, dtype="float32", **options):
    graph = Graph(dtype)
    tensor = getattr(ensemble, way)(graph, "x", **options)
    source = TensorInput("x", dtype, ("rows", 1), (), None)
    sink = TensorOutput("y", "float64", ("rows", ensemble.targets), "raw", "float64")
    data = graph.finish([source], [sink], [graph.cast(tensor, "float64")])
    session = onnxruntime.InferenceSession(data)
    return session.run(None, {"x": ROWS.astype(dtype)})[0], onnx.load_model_from_string(data)


@pytest.mark.parametrize(
    ("way", "dtype"), [("emit", "float32"), ("emit_in_order", "float32"), ("emit_float64", "float64")]
)
def test_leaves_are_summed_by_target(way, dtype):
    trees = [leaf(10.0, 0), stump(1.0, 0.0), stump(2.0, 4.0, target=1, missing_left=False), stump(0.0, 0.0)]
    answer, _ = sums(TreeEnsemble(2, trees), way, dtype)
    np.testing.assert_array_equal(answer, [[11, 2], [11, 2], [10, 4], [10, 4], [11, 4]])


def test_a_leaf_may_give_a_value_to_each_of_several_targets():
    answer, model = sums(
        TreeEnsemble(3, [stump([1.0, 0.0, 2.0], [0.0, 0.0, 0.0]), stump([1.0, 1.0, 0.0], [0.0, 5.0, 0.0])]), "emit"
    )
    np.testing.assert_array_equal(answer, [[2, 1, 2], [2, 1, 2], [0, 5, 0], [0, 5, 0], [2, 1, 2]])
    attributes = {attribute.name: attribute for attribute in model.graph.node[0].attribute}
    # Zeros are left out, but every leaf has an entry: ONNX Runtime would take one without for a branch.
    assert list(attributes["target_treeids"].ints) == [0, 0, 0, 1, 1, 1]
    assert list(attributes["target_nodeids"].ints) == [1, 1, 2, 1, 1, 2]
    assert list(attributes["target_ids"].ints) == [0, 2, 0, 0, 1, 1]


def test_a_sum_in_float64_keeps_what_float32_loses():
    trees = [leaf(1.0, 0), *(stump(1e-9, 2e-9) for _ in range(100))]
    answer, _ = sums(TreeEnsemble(1, trees), "emit_float64", "float64")
    np.testing.assert_allclose(answer[:, 0], 1 + np.array([1, 1, 2, 2, 1]) * 1e-7, rtol=1e-13, atol=0)
    assert (sums(TreeEnsemble(1, trees), "emit", "float64", double=True)[0] != answer).any()


def test_leaves_that_cancel_leave_the_small_rest_of_their_sum():
    trees = [leaf(1e9, 0), stump(-1e9 + 1e-4, -1e9 + 3e-4)]
    answer, _ = sums(TreeEnsemble(1, trees), "emit_float64", "float64")
    exact = np.array([-1e9 + 1e-4, -1e9 + 3e-4]) + 1e9
    np.testing.assert_array_equal(answer[:, 0], exact[[0, 0, 1, 1, 0]])


def test_float64_thresholds_are_compared_in_float64():
    tree = stump(1.0, 2.0)
    tree.threshold[0] = np.nextafter(0.75, 0.0)
    answer, _ = sums(TreeEnsemble(1, [tree]), "emit", "float64", double=True)
    np.testing.assert_array_equal(answer[:, 0], [1, 1, 2, 2, 1])


def test_an_ensemble_without_trees_is_a_mistake_of_its_caller():
    with pytest.raises(ValueError, match="without trees"):
        TreeEnsemble(1).emit(Graph("float32"), "x")
