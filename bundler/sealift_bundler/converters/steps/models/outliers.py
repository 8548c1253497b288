"""Emitters of outlier detectors that measure one distance."""

from typing import Any

import numpy as np
from sklearn.covariance import EllipticEnvelope
from sklearn.linear_model import SGDOneClassSVM

from sealift_bundler.converters.graph import numbers_of
from sealift_bundler.converters.steps import Context, Features, Heads, predicts
from sealift_bundler.converters.steps.arithmetic import affine, outlier_heads, row_sum, wide_numbers


@predicts(EllipticEnvelope)
def _elliptic(context: Context, estimator: EllipticEnvelope, features: Features) -> Heads:
    graph = context.graph
    tensor = wide_numbers(context, estimator, features)
    apart = graph.add("Sub", tensor, graph.constant(numbers_of(estimator.location_)))
    turned = affine(graph, apart, numbers_of(estimator.get_precision()))
    distance = row_sum(graph, graph.add("Mul", turned, apart))
    scores = graph.add("Sub", graph.add("Neg", distance), graph.constant(float(estimator.offset_)))
    return outlier_heads(graph, scores)


@predicts(SGDOneClassSVM)
def _one_class(context: Context, estimator: Any, features: Features) -> Heads:
    tensor = wide_numbers(context, estimator, features)
    weights = np.atleast_2d(numbers_of(estimator.coef_)).T
    return outlier_heads(context.graph, affine(context.graph, tensor, weights, -np.atleast_1d(estimator.offset_)))
