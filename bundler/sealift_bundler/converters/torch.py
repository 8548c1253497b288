"""PyTorch modules, through PyTorch's own exporter; an optional plug-in.

The original's answers come from PyTorch itself, so parity is real. The interface is named tensors.
"""

import inspect
import io
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from sealift_bundler.converters import Answers, Candidate, Original, Rung
from sealift_bundler.converters.boosters.files import require
from sealift_bundler.converters.graph import OPSETS
from sealift_bundler.errors import ConversionError, SourceError

if TYPE_CHECKING:
    from sealift_bundler.samples.interfaces import Samples


class TorchConverter:
    """Takes an `nn.Module` or what `torch.export.load` gives."""

    def accepts(self, source: Any) -> bool:
        """Return whether `source` is of PyTorch, without importing it."""
        torch = sys.modules.get("torch")
        if torch is None:
            return False
        return isinstance(source, torch.nn.Module | torch.export.ExportedProgram)

    def original(self, source: Any, samples: "Samples") -> Original:
        """Make the reference: the module itself, in evaluation mode."""
        torch = require("torch", "a PyTorch model")
        require("onnxscript", "exporting a PyTorch model")
        module = _module(source)
        names = _names(source, module)
        if samples.interface != "tensors" or set(samples.rows) != set(names):
            raise SourceError(
                f"a PyTorch model takes named tensors: give a dict or an .npz with exactly {names!r:.300}"
            )
        samples.rows = {name: np.asarray(samples.rows[name]) for name in names}

        def answers(rows: Mapping[str, Any]) -> Answers:
            with torch.no_grad():
                found = module(*(torch.from_numpy(np.ascontiguousarray(rows[name])) for name in names))
            return {f"output_{index}": value.numpy() for index, value in enumerate(_flat(found))}

        samples.whole = _is_whole(source)
        versions = {"torch": torch.__version__, "python": ".".join(map(str, sys.version_info[:3]))}
        for package in ("onnx", "onnxscript"):
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                continue
        described = {"framework": "torch", "versions": versions, "estimator": type(module).__qualname__}
        return Original("tensors", (), answers, described, "the trained model itself")

    def rungs(self, source: Any, samples: "Samples") -> Iterable[Rung]:
        """Give the only rung: PyTorch's own exporter."""
        yield Rung("torch", partial(_candidate, source, samples))


def _is_whole(source: Any) -> bool:
    """An exported program has the shapes that it was exported with."""
    return not hasattr(source, "eval")


def _module(source: Any) -> Any:
    return source.eval() if hasattr(source, "eval") else source.module()


def _names(source: Any, module: Any) -> list[str]:
    if hasattr(source, "graph_signature"):
        return [str(name) for name in source.graph_signature.user_inputs]
    if _is_keras(module):
        return [str(tensor.name) for tensor in module.inputs]
    return [
        name
        for name, parameter in inspect.signature(module.forward).parameters.items()
        if parameter.default is parameter.empty
    ]


def _is_keras(module: Any) -> bool:
    """On its PyTorch back end a Keras model is a module."""
    return any(cls.__module__.startswith("keras.") for cls in type(module).__mro__)


def _flat(found: Any) -> list[Any]:
    if isinstance(found, list | tuple):
        return [value for part in found for value in _flat(part)]
    if isinstance(found, Mapping):
        return [value for part in found.values() for value in _flat(part)]
    if not hasattr(found, "numpy"):
        raise SourceError(f"the model answers with a {type(found).__name__}; expected tensors")
    return [found]


def _candidate(source: Any, samples: "Samples") -> Candidate:
    torch = require("torch", "a PyTorch model")
    from sealift_bundler.converters.onnx import ReadyMade, candidate_of

    names = list(samples.rows)
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(values)) for values in samples.rows.values())
    rows = torch.export.Dim("rows", min=1)
    dynamic = None if _is_whole(source) else tuple({0: rows} for _ in names)
    outputs = [f"output_{index}" for index in range(len(_flat(_module(source)(*inputs))))]
    if _is_keras(source):
        return candidate_of(ReadyMade.of_bytes(_exported_by_keras(source, names, outputs)))
    buffer = io.BytesIO()
    try:
        program = torch.onnx.export(
            source,
            inputs if not _is_whole(source) else (),
            dynamo=True,
            opset_version=OPSETS[""],
            input_names=names,
            output_names=outputs,
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
        )
        program.save(buffer)
    except Exception as error:
        # The exporter raises whatever its dozens of passes raise.
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(f"PyTorch's exporter fails with {type(error).__name__}: {reason}") from error
    return candidate_of(ReadyMade.of_bytes(buffer.getvalue()))


def _exported_by_keras(source: Any, inputs: list[str], outputs: list[str]) -> bytes:
    """Keras's own exporter knows its models; only the names of what goes in and out are ours."""
    with tempfile.TemporaryDirectory(prefix="sealift-keras-") as folder:
        path = Path(folder) / "model.onnx"
        try:
            source.export(str(path), format="onnx", verbose=False)
        except Exception as error:
            # Keras's exporter raises whatever its back end raises.
            reason = " ".join(str(error).split())[:300]
            raise ConversionError(f"Keras's exporter fails with {type(error).__name__}: {reason}") from error
        model = onnx.load(str(path))
    graph = model.graph
    names = {value.name: name for value, name in zip(graph.input, inputs, strict=True)}
    names |= {value.name: name for value, name in zip(graph.output, outputs, strict=True)}
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized
