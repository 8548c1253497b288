"""Estimators that no table, array or list of texts goes into: refused by name, before the samples are read."""

from typing import Any

from sealift_bundler.errors import ConversionError

_TARGETS = "it transforms targets, not rows of features; do this where the labels are used"
_REASONS = {
    "DictVectorizer": "it takes dicts of changing keys; train on a DataFrame with a OneHotEncoder",
    "FeatureHasher": "it takes dicts of changing keys; train on a DataFrame, or on text with a HashingVectorizer",
    "LabelBinarizer": _TARGETS,
    "LabelEncoder": _TARGETS,
    "MultiLabelBinarizer": _TARGETS,
    "PatchExtractor": "it takes images, not rows of features; cut the patches before the model",
}


def check_takes_rows(model: Any) -> None:
    """Check that a model, or the first step of a pipeline, takes rows of features.

    Raises:
        ConversionError: it is one that takes something else.
    """
    path = "model"
    while getattr(model, "steps", None):
        path, model = model.steps[0]
    reason = _REASONS.get(type(model).__name__) if type(model).__module__.startswith("sklearn.") else None
    if reason is not None:
        raise ConversionError(f"step {path!r} ({type(model).__name__}): {reason}")
