"""Graphs that end, fill or fool the child that tries them: refused, and nothing is left."""

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.hostile.graphs import ADD, FOREIGN, RELU, files, graph, outside, self_test, write

from sealift.errors import IncompatibleError, SelfTestError


def _endless():
    """Relu, 2^62 times, until the condition is false, which it never is."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["still"]), helper.make_node("Relu", ["s"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, ["n", 4]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n", 4]),
        ],
    )
    weights = [numpy_helper.from_array(np.array(2**62), "trips"), numpy_helper.from_array(np.array(True), "go")]
    return graph(helper.make_node("Loop", ["trips", "go", "x"], ["y"], body=body), weights=weights)


@pytest.mark.slow
def test_a_graph_that_never_ends(tmp_path):
    with pytest.raises(SelfTestError, match="did not finish its self-test in 4 s"):
        self_test(write(tmp_path, files(_endless())), timeout_s=4)


def _hungry(constant):
    """100 GB of ones, made while the graph is loaded or while it runs."""
    size = numpy_helper.from_array(np.array([25_000_000_000]), "size")
    one = numpy_helper.from_array(np.array([1], np.float32))
    if constant:
        fill = helper.make_node("ConstantOfShape", ["size"], ["many"], value=one)
        nodes = [fill]
    else:
        nodes = [
            helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0),
            helper.make_node("Expand", ["top", "size"], ["many"]),
        ]
    total = helper.make_node("ReduceMax", ["many"], ["most"], keepdims=0)
    return graph(*nodes, total, helper.make_node("Add", ["x", "most"], ["y"]), weights=[size])


@pytest.mark.parametrize("constant", [True, False], ids=["constant", "at run time"])
def test_a_graph_that_needs_100_gb(constant, tmp_path):
    with pytest.raises(SelfTestError, match=r"needs more memory than the .* with `--self-test-memory [0-9]+GB`"):
        self_test(write(tmp_path, files(_hungry(constant))))


def test_a_child_that_is_killed_for_its_memory(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -KILL $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="killed, as Linux does where memory runs out"):
        self_test(tmp_path)


def _wants(gigabytes):
    """A graph that makes a tensor of so many gigabytes when it runs."""
    shape = numpy_helper.from_array(np.array([round(gigabytes * 250), 1_000_000], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["big"]),
        helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
        helper.make_node("Add", ["x", "most"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    return files(graph(*nodes, weights=[shape]))


def test_a_graph_gets_four_gigabytes_although_more_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr("sealift.model.trial.process.free_memory_bytes", lambda: 10**12)
    with pytest.raises(SelfTestError) as caught:
        self_test(write(tmp_path, _wants(8)))
    said = str(caught.value)
    assert "needs more memory than the 4.3 GB that it may allocate here (4.3 GB, and copies of its weights)" in said
    assert said.endswith("allow that with `--self-test-memory 9GB`")
    assert "\n" not in said


def test_a_graph_gets_what_it_is_allowed_and_no_more(tmp_path):
    directory = write(tmp_path, _wants(0.3))
    with pytest.raises(SelfTestError, match=r"than the 200\.0 MB .*`--self-test-memory 1GB`"):
        self_test(directory, memory_bytes=200_000_000)
    assert self_test(directory, memory_bytes=1_000_000_000).rows == 1


def test_a_machine_that_has_less_free_gives_less(tmp_path, monkeypatch):
    monkeypatch.setattr("sealift.model.trial.process.free_memory_bytes", lambda: 10**9)
    with pytest.raises(SelfTestError, match=r"than the 800\.0 MB that it may allocate here \(80% of what is free\)"):
        self_test(write(tmp_path, _wants(1)))


def test_copies_of_a_models_own_weights_do_not_count(tmp_path):
    weights = numpy_helper.from_array(np.zeros((20_000_000, 1), np.float32), "w")
    first = numpy_helper.from_array(np.array([0], np.int64), "i")
    nodes = [
        helper.make_node("Gather", ["w", "i"], ["zero"]),
        helper.make_node("Add", ["x", "zero"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["y"]),
    ]
    directory = write(tmp_path, files(graph(*nodes, weights=[weights, first])))
    assert self_test(directory, memory_bytes=200_000_000).rows == 1


@pytest.mark.parametrize("answer", ["{}", '{"memory_bytes": "1"}', '{"memory_bytes": true}', '{"memory_bytes": -1}'])
def test_a_child_whose_voice_was_taken(answer, tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nread question; echo {shlex.quote(answer)}; read question\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="did not answer what it was asked"):
        self_test(tmp_path)


@pytest.mark.parametrize("signal", ["SEGV", "ABRT", "ILL", "BUS", "FPE"])
def test_a_graph_that_crashes_its_process(signal, refuse, tmp_path, monkeypatch):
    script = Path(tmp_path / "crash" / "python")
    script.parent.mkdir()
    # It says what it lacks, nothing, and dies of the model.
    answers = """read question; echo '{"problems": []}'; read question"""
    script.write_text(f"#!/bin/sh\nulimit -c 0\n{answers}\nkill -{signal} $$\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    refuse(files(graph(RELU)), f"crashed its self-test with SIG{signal}", SelfTestError)


@pytest.mark.parametrize(
    "said", ["", "not JSON", '{"rows": -1.5}', '{"rows": "1"}', "[]", '{"rows": true}', "\\377", '{"rows": 1']
)
def test_a_child_that_says_something_else(said, tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\nprintf '%b' {shlex.quote(said)}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(SelfTestError, match="failed its self-test with status 0"):
        self_test(tmp_path)


def test_answers_that_were_changed_before_signing(refuse):
    refuse(files(graph(RELU), answer=np.array([[0, 2, 0, 4.5]], np.float32)), r"differs in 1 of 4 values; at \[0, 3\]")


def test_answers_of_another_shape(refuse):
    refuse(files(graph(RELU), answer=np.array([[0, 2, 0, 4]] * 2, np.float32)), "shape")


def test_another_graph_under_the_same_description(refuse):
    refuse(files(graph(helper.make_node("Neg", ["x"], ["y"]))), "differs in 4 of 4 values", SelfTestError)


def test_a_graph_of_not_a_number(refuse):
    refuse(files(graph(helper.make_node("Log", ["x"], ["y"]))), "differs in", SelfTestError)


@pytest.mark.parametrize("location", ["../../../../etc/passwd", "/etc/passwd", "model.json"])
def test_install_of_weights_outside(location, refuse):
    refuse(files(graph(ADD, weights=[outside(location)])), "lies in")


def test_install_of_an_unknown_operator(refuse):
    opsets = {"ai.onnx": 18, "com.evil": 1}
    refuse(files(FOREIGN["an unknown domain"], opsets=opsets), "no operators of domain 'com.evil'", IncompatibleError)
