"""Steps that have no emitter of ours: skl2onnx converts the single step, and its graph is put into ours.

What comes out is believed no more than anything else: parity decides.
"""

from typing import Any

import numpy as np
import onnx
from sklearn.base import is_clusterer

from sealift_bundler.converters.graph import OPSETS
from sealift_bundler.converters.steps import Context, Features, Heads, features_of, gather, numbers

# Their answers jump: rounding in front of them can change an answer altogether.
_JUMPS = [
    "AdaBoost",
    "Bagging",
    "Binarizer",
    "Birch",
    "BisectingKMeans",
    "Ensemble",
    "ExtraTree",
    "Forest",
    "GradientBoosting",
    "HistGradient",
    "IsolationForest",
    "KBins",
    "KMeans",
    "KNN",
    "KNeighbors",
    "NearestCentroid",
    "RadiusNeighbors",
    "Stacking",
    "TreesEmbedding",
    "Voting",
    "Tree",
    "LocalOutlier",
    "MeanShift",
]


# Which of several neighbors at the same distance is taken follows from the order of a search. A graph takes
# another one: a probability was off by 0.2 on 2 of 1,161 held-back rows after all 776 compared rows agreed.
_TIES = ("KNeighbors", "KNN", "LocalOutlierFactor", "RadiusNeighbors")


def stock_transformer(context: Context, estimator: Any, features: Features) -> Features:
    """Emit a transformer through skl2onnx."""
    if not hasattr(estimator, "transform"):
        raise context.refuse("it is not a fitted transformer; is the pipeline fitted?", estimator)
    outputs = _inline(context, estimator, features, {})
    tensor = next(iter(outputs.values()))
    width = _width(estimator, features)
    if width is None:
        raise context.refuse("it does not say how many columns it gives", estimator)
    return features_of(context.graph.cast(tensor, context.graph.dtype), width)


def _width(estimator: Any, features: Features) -> int | None:
    try:
        return len(estimator.get_feature_names_out())
    except (AttributeError, ValueError, TypeError):
        pass
    try:
        return int(estimator.transform(np.zeros((1, len(features)))).shape[1])
    except (ValueError, TypeError, IndexError, AttributeError):
        return None


def stock_predictor(context: Context, estimator: Any, features: Features) -> Heads:
    """Emit a final step through skl2onnx."""
    if hasattr(estimator, "classes_") or hasattr(estimator, "decision_function"):
        return _stock_classifier(context, estimator, features)
    if not hasattr(estimator, "predict"):
        raise context.refuse("it has neither predict nor a converter", estimator)
    outputs = list(_inline(context, estimator, features, {}).values())
    if hasattr(estimator, "classes_") or is_clusterer(estimator):
        return {"label": _rows(context, outputs[0])}
    return {"values": outputs[0]}


def _stock_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    if not hasattr(estimator, "classes_"):  # outlier detectors: labels +1 and -1, and scores
        label, scores = list(_inline(context, estimator, features, {}).values())[:2]
        return {"label": _rows(context, label), "scores": _rows(context, scores)}
    heads: Heads = {}
    if hasattr(estimator, "predict_proba"):
        label, probabilities = list(_inline(context, estimator, features, {"zipmap": False}).values())[:2]
        heads = {"label": _rows(context, label), "probabilities": probabilities}
    if hasattr(estimator, "decision_function"):
        label, scores = list(_inline(context, estimator, features, {"zipmap": False, "raw_scores": True}).values())[:2]
        if len(estimator.classes_) == 2:
            scores = context.graph.add("Gather", scores, context.graph.constant(-1), axis=1)
        heads = {"label": _rows(context, label), **heads, "scores": scores}
    return heads


def _rows(context: Context, tensor: str) -> str:
    return context.graph.add("Reshape", tensor, context.graph.constant([-1]))


def _inline(context: Context, estimator: Any, features: Features, options: dict[str, Any]) -> dict[str, str]:
    if any(word in type(estimator).__name__ for word in _TIES):
        raise context.refuse(
            "neighbors at equal distances may be chosen differently in a graph, which no sample of rows rules out; "
            "use another estimator, for example RandomForest",
            estimator,
        )
    if features and features[0].text:
        model = _convert(context, estimator, "string", len(features), options)
        return context.graph.inline(model, {"X": gather(context, features, estimator)})
    tensor = numbers(context, features, estimator)
    jumps = any(word in type(estimator).__name__ for word in _JUMPS)
    if jumps and context.narrow and not all(feature.exact for feature in features):
        raise context.climb("its answers jump, and float32 rounding in front of it can cross a threshold", estimator)
    model = _convert(context, estimator, context.graph.dtype, len(features), options)
    if not context.narrow and not _loads(model):
        # ONNX Runtime lacks the double kernel of some operator: this step alone computes in float32.
        model = _convert(context, estimator, "float32", len(features), options)
        tensor = context.graph.cast(tensor, "float32")
    return context.graph.inline(model, {"X": tensor})


def _convert(context: Context, estimator: Any, dtype: str, width: int, options: dict[str, Any]) -> onnx.ModelProto:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    kind = {"string": StringTensorType, "float32": FloatTensorType, "float64": DoubleTensorType}[dtype]
    text = dtype == "string"
    if text:
        options = {**options, "locale": "C.UTF-8"} if hasattr(estimator, "build_analyzer") else options
    try:
        model: onnx.ModelProto = to_onnx(
            estimator,
            initial_types=[("X", kind([None, width]))],
            options={id(estimator): options} if options else None,
            target_opset=dict(OPSETS),
        )
    except Exception as error:
        # A converter for hundreds of estimators raises whatever its parts raise: RuntimeError, KeyError,
        # AttributeError on attributes that another scikit-learn renamed.
        reason = " ".join(str(error).split())[:200]
        raise context.refuse(f"skl2onnx cannot convert it ({type(error).__name__}: {reason})", estimator) from error
    return model


def _loads(model: onnx.ModelProto) -> bool:
    from sealift.model.runtime.onnx import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - ONNX Runtime has no common error class; any of them means "does not load"
        return False
    return True
