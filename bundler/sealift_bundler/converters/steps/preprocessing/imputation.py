"""Emitter of the iterative imputer: rounds of regressions, each filling one column from the others."""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the class importable
from sklearn.impute import IterativeImputer

from sealift_bundler.converters.steps import Context, Feature, Features, numbers, one_to_one, transforms
from sealift_bundler.converters.steps.arithmetic import as_column, column, concatenated, wide_numbers
from sealift_bundler.converters.steps.boundaries import filled_in
from sealift_bundler.converters.steps.compose import predict, transform
from sealift_bundler.converters.steps.preprocessing.numeric import missing_mask


@transforms(IterativeImputer)
def _iterative(context: Context, estimator: Any, features: Features) -> Features:
    if estimator.sample_posterior:
        raise context.refuse("it draws at random (sample_posterior=True)", estimator)
    graph = context.graph
    wide_numbers(context, estimator, features)
    first = estimator.initial_imputer_
    started = transform(context.inside("initial"), first, features)
    if estimator.add_indicator:
        indicator = transform(context.inside("indicator"), estimator.indicator_, features)
    missing = missing_mask(context, estimator, numbers(context, features, estimator), features)
    if len(started) != len(features):
        raise context.refuse("it leaves out a column that was empty when it was fitted; use keep_empty_features=True",
                             estimator)  # fmt: skip
    start = numbers(context, started, estimator)
    values = [column(graph, start, index) for index in range(len(features))]
    holes = [column(graph, missing, index) for index in range(len(features))]
    rough = [feature.rough for feature in started]
    step = context.where(estimator)
    after = [filled_in(feature, hole, None, step) for feature, hole in zip(features, holes, strict=True)]
    for place, (target, others, member) in enumerate(estimator.imputation_sequence_):
        inputs: tuple[Feature, ...] = tuple(
            Feature(values[int(index)], 0, 1, text=False, origin=None, exact=False, rough=rough[int(index)])
            for index in others
        )
        guess = as_column(graph, predict(context.inside(f"round_{place}"), member, inputs)["values"])
        guess = graph.cast(guess, graph.dtype)
        low, high = float(estimator._min_value[target]), float(estimator._max_value[target])  # noqa: SLF001
        guess = graph.add("Clip", guess, graph.constant(np.float64(low)), graph.constant(np.float64(high)))
        values[target] = graph.add("Where", holes[target], guess, values[target])
        rough[target] = after[target]
    made = one_to_one(started, concatenated(graph, values))
    result = tuple(replace(one, rough=known) for one, known in zip(made, rough, strict=True))
    return (*result, *indicator) if estimator.add_indicator else result
