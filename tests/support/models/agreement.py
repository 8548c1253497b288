"""Rows of three columns with a label for each, and whether a model answers as its original."""

import numpy as np

GENERATOR = np.random.default_rng(3)
ROWS, HELD_BACK = GENERATOR.normal(size=(120, 3)), GENERATOR.normal(size=(50, 3))
TARGET = np.where(ROWS[:, 0] + ROWS[:, 1] > 0, "yes", "no")


def agrees(conversion, original, rows):
    model = conversion.open()
    for method in conversion.description.methods:
        expected = getattr(original, method)(rows)
        if expected.dtype.kind == "f":
            np.testing.assert_allclose(getattr(model, method)(rows), expected, rtol=1e-5, atol=1e-5)
        else:
            np.testing.assert_array_equal(getattr(model, method)(rows), expected)
