"""A pandas column of few different texts is read by these, and gives what reading each row gives."""

import numpy as np
import pandas as pd
import pytest
from support.release.model_description import description

from sealift.errors import InputError
from sealift.model.documents.description import MISSING_TEXT, Column, TensorInput
from sealift.model.inputs import feeder as feeder_module
from sealift.model.inputs.feeder import Feeder
from sealift.model.inputs.tables import as_table

ROWS = 6000
TAKES = Column("city", "str", MISSING_TEXT, missing_is="NaN")


def feeder(column):
    return Feeder(description("columns", TensorInput("strings", "string", ("rows", 1), (column,), None)), ())


def frame(values, dtype="str"):
    repeated = [values[place % len(values)] for place in range(ROWS)]
    return pd.DataFrame({"city": pd.Series(repeated, dtype=dtype)})


def tensor(column, rows):
    (feeds,) = feeder(column).feeds(rows)
    return feeds["strings"]


def test_texts_that_repeat_are_read_once_and_stand_in_every_row():
    rows = frame(["Rome", "東京", "", "Oslo"])
    found = as_table(rows).distinct("city")
    assert sorted(found.texts) == ["", "Oslo", "Rome", "東京"]
    assert list(found.texts[found.places]) == list(rows["city"].to_numpy())
    assert tensor(TAKES, rows)[:, 0].tolist() == rows["city"].tolist()


def test_rows_in_several_pieces_of_arrow_are_joined():
    rows = pd.concat([frame(["a", "b"]), frame(["c"])], ignore_index=True)
    assert tensor(TAKES, rows)[:, 0].tolist() == rows["city"].tolist()


@pytest.mark.parametrize(("dtype", "missing_is"), [("str", "NaN"), (pd.StringDtype("pyarrow"), None)])
def test_missing_texts_become_the_token(dtype, missing_is):
    rows = frame(["Rome", None, "Oslo"], dtype)
    found = as_table(rows).distinct("city")
    assert found.texts[-1] is rows["city"].dtype.na_value
    made = tensor(TAKES._replace(missing_is=missing_is), rows)[:, 0].tolist()
    assert made[:3] == ["Rome", MISSING_TEXT, "Oslo"]
    with pytest.raises(InputError, match="row 1 is missing"):
        tensor(Column("city", "str", None), rows)


@pytest.mark.parametrize(
    ("value", "column", "reason"),
    [
        ("b\0", TAKES, "NUL"),
        (MISSING_TEXT, TAKES, "stands for a missing value"),
        ("Bonn", TAKES._replace(categories=("Rome", "Oslo")), "not one of the categories"),
    ],
    ids=["nul", "token", "category"],
)
def test_a_refusal_names_the_first_row_of_the_frame(value, column, reason):
    rows = frame(["Rome", "Oslo"])
    # Of the distinct texts it is the third, in the frame the row 5,001.
    rows.loc[5001, "city"] = value
    with pytest.raises(InputError, match=rf"column 'city' row 5001 .*{reason}"):
        tensor(column, rows)


@pytest.mark.parametrize("repeated", [0, 1024], ids=["from the first row on", "after the sample"])
def test_texts_that_hardly_repeat_are_read_row_by_row(repeated):
    values = ["x"] * repeated + [f"{place:04}" for place in range(ROWS - repeated)]
    rows = frame(values)
    assert as_table(rows).distinct("city") is None
    assert tensor(TAKES, rows)[:, 0].tolist() == values


def test_other_columns_are_read_row_by_row():
    objects = frame(["Rome", "Oslo"], object)
    assert as_table(objects).distinct("city") is None
    assert as_table(frame(["Rome", "Oslo"]).iloc[:100]).distinct("city") is None
    assert as_table({"city": ["Rome"]}).distinct("city") is None
    assert tensor(TAKES, objects)[:, 0].tolist() == objects["city"].tolist()


def test_numbers_of_many_rows_are_the_same_as_of_few():
    generator = np.random.default_rng(0)
    names = ["a", "b", "c"]
    rows = pd.DataFrame({name: generator.normal(size=2 * feeder_module._ROWS_AT_ONCE + 7) for name in names})
    rows["c"] = np.arange(len(rows))
    columns = (*(Column(name, "float", None) for name in "ab"), Column("c", "int", None, dtype="int64"))
    reader = Feeder(description("columns", TensorInput("numbers", "float32", ("rows", 3), columns, None)), ())
    (feeds,) = reader.feeds(rows)
    assert np.array_equal(feeds["numbers"], rows.to_numpy(np.float32))
    rows.loc[len(rows) - 1, "b"] = np.nan
    with pytest.raises(InputError, match=f"column 'b' row {len(rows) - 1} is missing"):
        reader.feeds(rows)
