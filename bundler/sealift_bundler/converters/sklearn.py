"""scikit-learn estimators and pipelines."""

import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import numpy as np

from sealift.model.documents.description import Classes, TensorInput, TensorOutput
from sealift_bundler.converters import Answers, Candidate, Original, Rung
from sealift_bundler.converters.graph import IR_VERSION, LOWEST_ONNXRUNTIME, Graph
from sealift_bundler.converters.parts import parts_of
from sealift_bundler.converters.sparse_rungs import sparse_rungs
from sealift_bundler.errors import ConversionError, SourceError

if TYPE_CHECKING:
    from sealift_bundler.converters.steps import Context, Features
    from sealift_bundler.samples.interfaces import Samples

_METHODS = ("predict", "predict_proba", "decision_function")
_ROLE_OF = {"predict_proba": "probabilities", "decision_function": "scores"}
_RECORDED = ("scikit-learn", "numpy", "scipy", "pandas", "onnx", "onnxruntime", "skl2onnx")
_LIBRARY_OF = {"sklearn": "scikit-learn"}


class SklearnConverter:
    """Converts fitted scikit-learn estimators; for steps that are unknown here there is a last rung, with skl2onnx."""

    def accepts(self, source: Any) -> bool:
        """Return whether `source` is an estimator: it has scikit-learn's parameters and an answer."""
        if not hasattr(source, "get_params"):
            return False
        own = type(source).__module__.startswith("sklearn.")
        return own or any(hasattr(source, name) for name in (*_METHODS, "transform"))

    def original(self, source: Any, samples: "Samples") -> Original:
        """Make the reference: the estimator's own methods, on rows as the caller has them."""
        _check_fitted(source)
        if not any(hasattr(source, name) for name in (*_METHODS, "transform")):
            raise ConversionError(
                f"step 'model' ({type(source).__name__}): it has neither predict nor transform for rows other than "
                "those that it was fitted on; use an estimator that has"
            )
        present = tuple(name for name in _METHODS if hasattr(source, name)) or ("transform",)
        kind = getattr(source, "classes_", None)
        if getattr(kind, "dtype", np.dtype(int)).kind == "S":
            raise ConversionError("the model's labels are bytes, which JSON cannot carry; train it on strings")
        task = "transformation" if present == ("transform",) else _task(source, classes=kind)

        def answers(rows: Any) -> Answers:
            return dict(answer for name in present for answer in _named(name, getattr(source, name)(rows)))

        return Original(task, present, answers, _source(source), "the trained model itself")

    def rungs(self, source: Any, samples: "Samples") -> Iterable[Rung]:
        """The ways to convert `source`, in the order to try them."""
        build = partial(_build, source, samples)
        # ONNX's own tokenizer is not a rung: on text that no sample foresees ("goodé", a no-break space) it
        # cuts words elsewhere than scikit-learn does. The loader's front end counts the words.
        front = "frontend-" if has_text(source) else ""
        if front:
            # Every column of a vectorizer's that a row lacks is zero: without these, graph and rows are small.
            yield from sparse_rungs(partial(build, sparse=True))
        yield Rung(f"{front}float32", partial(build, dtype="float32"), narrow=True)
        yield Rung(f"{front}float64", partial(build, dtype="float64"))
        yield Rung(f"{front}skl2onnx", partial(build, dtype="float64", registered=True), for_unknown_steps=True)


def _check_fitted(source: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    known = getattr(source, "is_fitted", None)
    if callable(known) and known():  # CatBoost's, of a sum of models too
        return
    try:
        check_is_fitted(source)
    except NotFittedError:
        raise SourceError(f"the model ({type(source).__name__}) is not fitted; call fit, then save it") from None
    except TypeError:  # estimators without fit, which need none
        return


def has_text(estimator: Any) -> bool:
    """Return whether a vectorizer is somewhere in the estimator, at any depth."""
    return any(hasattr(part, "build_analyzer") for part in parts_of(estimator))


def _task(source: Any, classes: Any) -> str:
    from sklearn.base import is_clusterer, is_outlier_detector, is_regressor

    if is_regressor(source):
        return "regression"
    if is_clusterer(source):
        return "clustering"
    if is_outlier_detector(source):
        return "outliers"
    return "classification" if classes is not None else "regression"


def _dense(answer: Any) -> Any:
    if hasattr(answer, "toarray"):
        return answer.toarray()
    return answer.to_numpy() if hasattr(answer, "to_numpy") else np.asarray(answer)


def _source(source: Any) -> dict[str, Any]:
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in _RECORDED:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    framework = getattr(source, "framework", None) or type(source).__module__.split(".", maxsplit=1)[0]
    framework = _LIBRARY_OF.get(framework, framework)
    for package in (framework, f"{framework}-cpu"):
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    # Addresses of objects would make two conversions of one model differ.
    shown = re.sub(r" at 0x[0-9a-f]+", "", re.sub(r"\s+", " ", repr(source)))
    return {"framework": framework, "versions": versions, "estimator": shown[:2000]}


def _build(source: Any, samples: "Samples", *, dtype: str, registered: bool = False, sparse: bool = False) -> Candidate:
    from sealift_bundler.converters.steps import Context
    from sealift_bundler.converters.steps.text.layout import SparseLayout

    layout = SparseLayout() if sparse else None
    context = Context(Graph(dtype), registered=registered, samples=samples, source=source, text=layout)
    features = _features(samples)
    heads = {role: tensor for role, tensor in _heads(context, source, features).items() if _answers(source, role)}
    first_rows = samples.own(samples.head(2))
    methods = {_method(role) for role in heads}
    answers = dict(answer for name in methods for answer in _named(name, getattr(source, name)(first_rows)))
    classes = _classes(source, answers["predict"]) if "label" in heads and answers["predict"].ndim == 1 else None
    inputs = _inputs(context, samples, dtype)
    outputs, tensors = [], []
    for role, tensor in heads.items():
        method = _method(role)
        kind, _, place = role.partition("_")
        expected = answers[f"{method}.{place}" if place else method]
        outputs.append(_output(context, role, kind, expected, classes))
        tensors.append(_shaped(context, tensor, expected, outputs[-1]))
    graph = context.graph
    return Candidate(
        interface=samples.interface,
        graph=graph.finish(inputs, outputs, tensors),
        inputs=inputs,
        outputs=tuple(outputs),
        classes=classes,
        opsets={domain or "ai.onnx": opset for domain, opset in graph.opsets.items()},
        ir_version=IR_VERSION,
        onnxruntime=LOWEST_ONNXRUNTIME,
        frontend=_frontend(context),
        reads=context.reads,
    )


def _features(samples: "Samples") -> "Features":
    from sealift_bundler.converters.steps import Feature

    texts = [column for column in samples.columns if column.kind == "str"]
    numeric = [column for column in samples.columns if column.kind != "str"]
    result = []
    for column in samples.columns:
        group, tensor = (texts, "strings") if column.kind == "str" else (numeric, "numbers")
        if samples.interface == "text":
            tensor = "text"
        text = column.kind == "str"
        place = group.index(column)
        result.append(
            Feature(
                tensor,
                place,
                len(group),
                text,
                column.name,
                exact=True,
                missing_is=column.missing_is,
                levels=column.levels,
                dtype=column.dtype or {"float": "float64", "int": "int64"}.get(column.kind, column.kind),
                integral=column.kind in ("int", "bool"),
                column=column.name,
            )
        )
    if not samples.trained:
        return tuple(result)
    # Steps choose columns by their places among all that the model was trained on.
    known = {feature.origin: feature for feature in result}
    return tuple(known.get(name) or Feature("", 0, 1, text=False, origin=name, exact=False) for name in samples.trained)


def _heads(context: "Context", source: Any, features: "Features") -> dict[str, str]:
    # The emitters import all of scikit-learn, so they wait until there is a model of it.
    from sealift_bundler.converters.libraries import register_imported
    from sealift_bundler.converters.steps import compose, gather

    compose.register_all()
    register_imported()
    if any(hasattr(source, name) for name in _METHODS):
        return dict(compose.predict(context, source, features))
    return {"transformed": gather(context, compose.transform(context, source, features), source)}


def _method(role: str) -> str:
    """The method that answers with this role; "probabilities_1" are those of the second label."""
    kind = role.partition("_")[0]
    if kind == "transformed":
        return "transform"
    return next((name for name, of in _ROLE_OF.items() if of == kind), "predict")


def _named(method: str, answer: Any) -> "list[tuple[str, Any]]":
    """An answer under its method's name; a list of arrays under the name and a number each."""
    if isinstance(answer, list) and answer and hasattr(answer[0], "shape"):
        return [(f"{method}.{place}", _dense(one)) for place, one in enumerate(answer)]
    return [(method, _dense(answer))]


def _answers(source: Any, role: str) -> bool:
    """Return whether the original has the method of this role; a converter may give more."""
    return hasattr(source, _method(role))


def _classes(source: Any, labels: Any) -> Classes | None:
    values = getattr(source, "classes_", None)
    if values is None or isinstance(values, list):
        return None
    array = np.asarray(values)
    kind = {"U": "str", "O": "object"}.get(array.dtype.kind, array.dtype.name)
    items = array.tolist()
    if kind == "object" and not all(isinstance(item, str) for item in items):
        raise ConversionError(f"the model's labels are of mixed types ({items!r:.80}); use strings alone")
    # Some learn labels of objects, and answer with strings.
    return Classes("str" if kind == "object" and labels.dtype.kind == "U" else kind, tuple(items))


def _inputs(context: "Context", samples: "Samples", dtype: str) -> tuple[TensorInput, ...]:
    # The emitters import all of scikit-learn, so they wait until there is a model of it.
    from sealift_bundler.converters.steps.text.layout import input_names
    from sealift_bundler.converters.steps.widths import check_tables, of_any_width

    alike = of_any_width(context)
    check_tables(samples, alike)
    columns = [
        samples.described(
            replace(column, dtype=None) if column.name in alike else column,
            context.categories.get(column.name),
            told_apart=column.name in context.told_apart,
        )
        for column in samples.columns
    ]
    texts = tuple(column for column in columns if column.kind == "str")
    numeric = tuple(column for column in columns if column.kind != "str")
    counted = {name for name, _ in context.counters}
    tensors = []
    if numeric:
        tensors.append(TensorInput("numbers", dtype, ("rows", len(numeric)), numeric, None))
    if texts and not {column.name for column in texts} <= counted:
        name = "text" if samples.interface == "text" else "strings"
        tensors.append(TensorInput(name, "string", ("rows", len(texts)), texts, None))
    for index, (name, declaration) in enumerate(context.counters):
        column = next(column for column in texts if column.name == name)
        terms, counts = input_names(index)
        if context.text is not None:
            shape = ("rows", terms)
            tensors.append(TensorInput(terms, "int64", shape, (column,), index))
            tensors.append(TensorInput(counts, dtype, shape, (column,), index))
            continue
        hashing = declaration.get("hashing")
        width = len(declaration["vocabulary"]) if hashing is None else hashing["columns"]
        tensors.append(TensorInput(terms, dtype, ("rows", width), (column,), index))
    return tuple(tensors)


def _frontend(context: "Context") -> dict[str, Any] | None:
    """What makes the inputs of text, as `frontend.json` has it."""
    declared = [declaration for _, declaration in context.counters]
    if not declared:
        return None
    if context.text is None:
        return {"counters": declared}
    return {"frontends": [context.text.declared(number, counter) for number, counter in enumerate(declared)]}


def _output(context: "Context", name: str, role: str, expected: Any, classes: Classes | None) -> TensorOutput:
    shape: tuple[int | str, ...] = ("rows", *(int(size) for size in expected.shape[1:]))
    if role == "label":
        returns = expected.dtype.name if classes is None else classes.dtype
        returns = "str" if returns.startswith("str") else returns
        dtype = {"str": "string", "object": "string", "bool": "bool"}.get(returns)
        if dtype is None:
            dtype = "float64" if returns.startswith("float") else "int64"
        return TensorOutput(name, dtype, shape, role, returns)
    returns = expected.dtype.name if expected.dtype.kind in "fiub" else "float64"
    return TensorOutput(name, context.graph.dtype, shape, role, returns)


def _shaped(context: "Context", tensor: str, expected: Any, output: TensorOutput) -> str:
    """Give the output the original's shape and its declared dtype, whichever converter it comes from."""
    graph = context.graph
    shaped = graph.add("Reshape", tensor, graph.constant([-1, *(int(size) for size in expected.shape[1:])]))
    return shaped if output.dtype == "string" else graph.cast(shaped, output.dtype)
