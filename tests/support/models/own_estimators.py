"""Estimators of a team's own, which neither Sealift nor skl2onnx knows."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

BOUND = 0.8


class Clipped(TransformerMixin, BaseEstimator):
    """What the tests' own steps have in common: values beyond a bound are cut off."""

    WRITTEN = BOUND

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def transform(self, rows):
        return np.clip(np.asarray(rows, dtype=np.float64), -BOUND, BOUND)


class ClippedFloat32(Clipped):
    """Its converter is made for float32 alone."""


class ClippedWrong(Clipped):
    """Its converter cuts elsewhere."""

    WRITTEN = BOUND * 1.01


class ClippedInBranch(Clipped):
    """Its converter writes a branch whose graph takes a constant from outside."""


class ClippedCounts(Clipped):
    """It takes sparse rows, as vectorizers give them."""

    def transform(self, rows):
        return super().transform(rows.toarray())


class Unregistered(Clipped):
    """Nobody has registered it."""


class Lengths(TransformerMixin, BaseEstimator):
    """A step over text: a number for each city that it knows."""

    KNOWN = ("Bern", "Genève")

    def fit(self, rows, target=None):
        self.n_features_in_ = 1
        return self

    def transform(self, rows):
        return np.array([[float(len(city)) if city in self.KNOWN else -1.0] for city in np.ravel(rows)])


class OwnVectorizer(Lengths):
    """Texts, one a row, in place of a column."""

    def build_analyzer(self):
        return str.split


class Sign(ClassifierMixin, BaseEstimator):
    """A classifier with probabilities: is the sum of a row positive?"""

    def fit(self, rows, target):
        self.classes_ = np.unique(target)
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict_proba(self, rows):
        positive = 1 / (1 + np.exp(-np.asarray(rows).sum(axis=1, keepdims=True)))
        return np.hstack([1 - positive, positive])

    def predict(self, rows):
        return self.classes_[(np.asarray(rows).sum(axis=1) > 0).astype(int)]


class Above(ClassifierMixin, BaseEstimator):
    """A classifier with scores alone: is the first column positive?"""

    def fit(self, rows, target):
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def decision_function(self, rows):
        return np.asarray(rows)[:, 0]

    def predict(self, rows):
        return (self.decision_function(rows) > 0).astype(np.int64)


class LabelAlone(BaseEstimator):
    """A classifier that does not say so, and whose converter leaves the probabilities out."""

    fit, predict, predict_proba = Sign.fit, Sign.predict, Sign.predict_proba


class Halves(ClusterMixin, BaseEstimator):
    """A clusterer: is the first column positive?"""

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows):
        return (np.asarray(rows)[:, 0] > 0).astype(np.int64)


class Total(RegressorMixin, BaseEstimator):
    """A regressor: the sum of a row."""

    def fit(self, rows, target=None):
        self.n_features_in_ = np.shape(rows)[1]
        return self

    def predict(self, rows):
        return np.asarray(rows).sum(axis=1)


class OwnKNeighbors(KNeighborsClassifier):
    """A subclass may compute something else."""


class OwnPipeline(Pipeline):
    """A pipeline of a team's own, as imbalanced-learn has one."""
