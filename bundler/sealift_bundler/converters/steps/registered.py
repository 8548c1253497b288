"""Steps that only skl2onnx knows: a team's own class with a converter that it registered there.

skl2onnx converts the single step, on the last rung alone; known steps around it keep their emitters here. What comes
out is believed no more than anything else: parity decides.
"""

import warnings
from typing import Any

import numpy as np
import onnx
from sklearn.base import is_clusterer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import KNNImputer
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    KNeighborsTransformer,
    LocalOutlierFactor,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    RadiusNeighborsTransformer,
)
from sklearn.pipeline import Pipeline

from sealift_bundler.converters.graph import OPSETS
from sealift_bundler.converters.parts import parts_of
from sealift_bundler.converters.steps import Context, Features, Heads, features_of, flat, gather

# What skl2onnx converts otherwise than scikit-learn computes, on rows that no sample foresees: refused as a step, as
# the base class of one, and inside of one.
_NEVER = {
    # Which of several neighbors at the same distance is taken follows from the order of a search. A graph takes
    # another one: a probability was off by 0.2 on 2 of 1,161 held-back rows after all 776 compared rows agreed.
    (
        KNNImputer,
        KNeighborsClassifier,
        KNeighborsRegressor,
        KNeighborsTransformer,
        LocalOutlierFactor,
        NearestNeighbors,
        RadiusNeighborsClassifier,
        RadiusNeighborsRegressor,
        RadiusNeighborsTransformer,
    ): "neighbors at equal distances may be chosen differently in a graph, which no sample of rows rules out; "
    "use another estimator, for example RandomForest",
    (CountVectorizer,): "ONNX's own tokenizer cuts words elsewhere than scikit-learn does; use the vectorizer itself, "
    "as a step of a scikit-learn Pipeline",
}


_ROUNDS = "it fits each row by rounds until little changes: use TruncatedSVD or PCA"
# What converts in place of a step, by its class or its library.
_INSTEAD = {
    "NMF": _ROUNDS,
    "MiniBatchNMF": _ROUNDS,
    "LatentDirichletAllocation": _ROUNDS,
    "category_encoders": "use scikit-learn's OneHotEncoder, OrdinalEncoder or TargetEncoder in a ColumnTransformer",
    "feature_engine": "use scikit-learn's own in a ColumnTransformer, such as SimpleImputer, OneHotEncoder with "
    "min_frequency, KBinsDiscretizer or FunctionTransformer of a NumPy function",
}


def transform_registered(context: Context, estimator: Any, features: Features) -> Features:
    """Emit a transformer that has no emitter here."""
    if not hasattr(estimator, "transform"):
        raise context.refuse("it is not a fitted transformer; is the pipeline fitted?", estimator)
    tensors, widths = _inline(context, estimator, features)
    return features_of(context.graph.cast(tensors[0], context.graph.dtype), widths[0])


def predict_registered(context: Context, estimator: Any, features: Features) -> Heads:
    """Emit a final step that has no emitter here."""
    graph = context.graph
    tensors, _ = _inline(context, estimator, features)
    if not (hasattr(estimator, "classes_") or hasattr(estimator, "decision_function")):
        return {"label": flat(graph, tensors[0])} if is_clusterer(estimator) else {"values": tensors[0]}
    heads = {"label": flat(graph, tensors[0])}
    scored = hasattr(estimator, "predict_proba") or hasattr(estimator, "decision_function")
    if scored and len(tensors) < 2:
        raise context.refuse(
            "its converter gives the label alone; give the probabilities or scores as a second output "
            "(skl2onnx expects one of a ClassifierMixin)",
            estimator,
        )
    if hasattr(estimator, "predict_proba"):
        heads["probabilities"] = tensors[1]
    if hasattr(estimator, "decision_function"):
        raw = {"raw_scores": True} if hasattr(estimator, "predict_proba") else {}
        scores = _inline(context, estimator, features, raw)[0][1] if raw else tensors[1]
        if len(getattr(estimator, "classes_", ())) == 2:
            scores = graph.add("Gather", scores, graph.constant(-1), axis=1)
        heads["scores"] = scores
    return heads


def _inline(
    context: Context, estimator: Any, features: Features, options: dict[str, Any] | None = None
) -> tuple[list[str], list[int]]:
    """Let skl2onnx convert a step into this graph; give its tensors, and how many columns each has."""
    _check(context, estimator)
    context.tell_apart(features)
    tensor = gather(context, features, estimator)
    dtypes = ("string",) if features[0].text else (context.graph.dtype, "float32")
    reasons: list[str] = []
    for dtype in dtypes:
        try:
            model = _converted(estimator, dtype, len(features), options)
            widths = _widths(model, dtype, len(features))
        except Exception as error:  # noqa: BLE001 - someone else's converter raises whatever it likes; ONNX Runtime, too
            # A converter may be made for float32 alone, or ONNX Runtime lack the double kernel of an operator.
            reasons.append(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            continue
        given = tensor if dtype in ("string", context.graph.dtype) else context.graph.cast(tensor, dtype)
        return list(context.graph.inline(model, {"X": given}).values()), widths
    raise context.refuse(f"skl2onnx cannot convert it ({'; '.join(dict.fromkeys(reasons))})", estimator)


def _check(context: Context, estimator: Any) -> None:
    """Check that the step is skl2onnx's to convert, and that this is the rung for it."""
    for part in parts_of(estimator):
        reason = next((reason for kinds, reason in _NEVER.items() if isinstance(part, kinds)), None)
        if reason is not None:
            what = "" if part is estimator else f"it holds a {type(part).__name__}: "
            raise context.refuse(f"{what}{reason}", estimator)
    try:
        import skl2onnx  # noqa: F401 - only whether it is here
    except ModuleNotFoundError:
        raise context.refuse(
            "Sealift has no converter for it, and skl2onnx, where one may be registered, is not installed; "
            "install skl2onnx, or use another estimator",
            estimator,
        ) from None
    if not _is_registered(estimator):
        kind = type(estimator)
        instead = _INSTEAD.get(kind.__name__) or _INSTEAD.get(
            kind.__module__.partition(".")[0], "use another estimator"
        )
        raise context.refuse(
            f"neither Sealift nor skl2onnx has a converter for it; {instead}, or register one with skl2onnx in a "
            "module that you have imported (`import` in a recipe)",
            estimator,
        )
    if not context.registered:
        raise context.unknown("only skl2onnx has a converter for it", estimator)


def _is_registered(estimator: Any) -> bool:
    """Return whether skl2onnx can begin with this estimator; it may still fail on what is inside."""
    from skl2onnx._parse import sklearn_parsers_map
    from skl2onnx._supported_operators import sklearn_operator_name_map  # these have no public form

    kind = type(estimator)
    named = kind in sklearn_operator_name_map or kind in sklearn_parsers_map
    return named or isinstance(estimator, Pipeline) or hasattr(estimator, "onnx_converter")


def _converted(estimator: Any, dtype: str, width: int, options: dict[str, Any] | None) -> onnx.ModelProto:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    kind = {"string": StringTensorType, "float32": FloatTensorType, "float64": DoubleTensorType}[dtype]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: onnx.ModelProto = to_onnx(
            estimator,
            initial_types=[("X", kind([None, width]))],
            options={id(estimator): options} if options else None,
            target_opset=dict(OPSETS),
        )
    # A list of dicts in place of the probabilities: the tensor in front of it is what is wanted.
    maps = {node.output[0]: node for node in model.graph.node if node.op_type == "ZipMap"}
    for output in model.graph.output:
        if output.name in maps:
            node = maps[output.name]
            model.graph.node.remove(node)
            output.name = node.input[0]
            output.ClearField("type")
    return model


def _widths(model: onnx.ModelProto, dtype: str, width: int) -> list[int]:
    """Run one row through a model and see how many columns each output has."""
    from sealift.model.runtime.onnx import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    row = np.full((1, width), "", dtype=object) if dtype == "string" else np.zeros((1, width), dtype)
    return [answer.size for answer in session.run(None, {"X": row})]
