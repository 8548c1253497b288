"""Emitters of models with several targets: independent ones, chains, and transformed targets."""

from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier, MultiOutputRegressor, RegressorChain

from sealift_bundler.converters.steps import (
    Context,
    Features,
    Heads,
    features_of,
    predicts,
)
from sealift_bundler.converters.steps.arithmetic import as_column, column, concatenated
from sealift_bundler.converters.steps.compose import predict
from sealift_bundler.converters.steps.functions import FUNCTIONS, function_name
from sealift_bundler.converters.steps.preprocessing.inverse import inverse_transform
from sealift_bundler.converters.steps.text.columns import joined


@predicts(MultiOutputRegressor)
def _multi_output_regressor(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    parts = [
        as_column(graph, predict(context.inside(f"estimator_{index}"), member, features)["values"])
        for index, member in enumerate(estimator.estimators_)
    ]
    return {"values": concatenated(graph, parts)}


@predicts(MultiOutputClassifier)
def _multi_output_classifier(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    heads: Heads = {}
    labels = []
    for index, member in enumerate(estimator.estimators_):
        inner = predict(context.inside(f"estimator_{index}"), member, features)
        labels.append(as_column(graph, inner["label"]))
        if "probabilities" in inner:
            heads[f"probabilities_{index}"] = inner["probabilities"]
    return {"label": concatenated(graph, labels), **heads}


@predicts(RegressorChain, ClassifierChain)
def _chain(context: Context, estimator: Any, features: Features) -> Heads:
    graph = context.graph
    roles = {"predict": "label", "predict_proba": "probabilities", "decision_function": "scores"}
    method = getattr(estimator, "chain_method_", "predict")
    parts: dict[str, list[str]] = {}
    seen = features
    for index, member in enumerate(estimator.estimators_):
        inner = predict(context.inside(f"estimator_{index}"), member, seen)
        answers = {}
        for role, tensor in inner.items():
            if role == "probabilities":
                answers[role] = column(graph, tensor, 1)
            elif role in ("label", "scores", "values"):
                answers[role] = graph.cast(as_column(graph, tensor), graph.dtype)
        for role, tensor in answers.items():
            parts.setdefault(role, []).append(tensor)
        handed = answers.get("values", answers.get(roles[method]))
        if handed is None:
            raise context.refuse(f"its members do not give what its chain hands on ({method})", estimator)
        seen = joined(context, [seen, features_of(handed, 1)])
    back = np.argsort(np.asarray(estimator.order_))
    heads: Heads = {}
    for role, tensors in parts.items():
        if len(tensors) == len(back):
            heads[role] = concatenated(graph, [tensors[place] for place in back])
    return heads


@predicts(TransformedTargetRegressor)
def _transformed_target(context: Context, estimator: TransformedTargetRegressor, features: Features) -> Heads:
    graph = context.graph
    values = predict(context.inside("regressor"), estimator.regressor_, features)["values"]
    transformer = estimator.transformer_
    width = int(getattr(transformer, "n_features_in_", 1))
    tensor = graph.add("Reshape", values, graph.constant([-1, width]))
    function = getattr(transformer, "inverse_func", None)
    if hasattr(transformer, "inverse_func"):
        if function is not None and (function not in FUNCTIONS or transformer.inv_kw_args):
            raise context.refuse(
                f"its inverse function {function_name(function)!r} is Python code, which a graph cannot carry; "
                "use a NumPy function such as numpy.expm1",
                estimator,
            )
        tensor = FUNCTIONS[function](graph, tensor)
    else:
        tensor = inverse_transform(context.inside("transformer"), transformer, tensor, estimator)
    return {"values": tensor}
