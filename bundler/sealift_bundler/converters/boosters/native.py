"""A booster without its scikit-learn estimator, as its own file holds it."""

from sklearn.base import BaseEstimator, RegressorMixin


class NativeBooster(RegressorMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A native booster, seen as an estimator: columns in, `predict` out, whatever numbers these are."""

    framework = ""

    @property
    def names(self) -> list[str] | None:
        """The names of its features, None where it has none."""
        return None

    @property
    def feature_names_in_(self) -> list[str]:
        """The names of its columns, as scikit-learn has them."""
        names = self.names
        if names is None:
            raise AttributeError("feature_names_in_")
        return names
