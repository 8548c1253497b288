"""Where rounding shows: steps that are smooth, and so steep that the last bits in front of them make an answer."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters.steps import Context, Feature, Features, Rough
from sealift_bundler.converters.steps.boundaries import first_true, through

# How far a graph's numbers may be from the original's, and a change of an interpolated number that matters.
_LAST_BITS = 4
_SHOWN = 1e-6


def magnifies(feature: Feature, known: NDArray[Any], values: NDArray[Any]) -> bool:
    """Return whether a line between two of some known numbers, [count], rises so steeply that it shows their rounding.

    Args:
        feature: What is interpolated.
        known: Ascending; equal neighbors are a jump, and none of these lines.
        values: What the line is at each of them.
    """
    if feature.rough is None:
        return False
    width, rise = np.diff(known), np.abs(np.diff(values))
    size = np.maximum(np.spacing(np.abs(known)), _grain(feature.rough, known))
    rounding = _LAST_BITS * np.maximum(size[:-1], size[1:])
    return bool(((width > 0) & (rise * rounding > _SHOWN * width)).any())


def _grain(rough: Rough, known: NDArray[Any]) -> NDArray[Any]:
    """How far apart the original's own numbers are at known ones, where many others give the same; 0 elsewhere.

    What is left of a difference, such as that to a mean, has the last bit of the larger numbers.
    """
    if rough.pull is None:
        return np.zeros(len(known))
    functions = rough.pull.functions
    starts = first_true(lambda x, place: through(functions, x) >= known[place], len(known))
    reached, after = through(functions, starts), through(functions, np.nextafter(starts, np.inf))
    before = through(functions, np.nextafter(starts, -np.inf))
    flat = np.isfinite(starts) & (reached == after) & (reached > before)
    with np.errstate(invalid="ignore"):
        return np.where(flat, reached - before, 0.0)


def sharpened(rough: Rough | None, subtracted: float, scale: float) -> Rough | None:
    """What is known of a number after `(x - subtracted) / scale`, which leaves its last bits where it is small."""
    if rough is None or not _LAST_BITS * np.spacing(abs(subtracted)) > _SHOWN * scale:
        return rough
    return replace(rough, coarse=True)


def check_fine(context: Context, estimator: Any, features: Features) -> None:
    """Refuse a step that computes with numbers whose last bits are not small.

    Raises:
        NeverConverts: a scaler left such.
    """
    rough = next((feature.rough for feature in features if feature.rough is not None and feature.rough.coarse), None)
    if rough is not None:
        raise context.refuse(
            f"it is given what a scaler leaves of numbers that are nearly equal, and step {rough.step} in front of it "
            "differs in a graph in their last bit; subtract a number near their mean before that step, or leave the "
            "column out",
            estimator,
        )


def refused_magnifying(context: Context, estimator: Any, feature: Feature) -> Exception:
    """Make the error for a step that interpolates between numbers a few last bits apart, behind one that rounds."""
    first = feature.rough.step if feature.rough is not None and feature.rough.step else "another step"
    return context.refuse(
        f"it interpolates between numbers that differ in their last bits alone, and the numbers of step {first} in "
        "front of it differ in a graph in their last bit; give it the columns as they are, in front of that step or "
        "beside it in a ColumnTransformer",
        estimator,
    )
