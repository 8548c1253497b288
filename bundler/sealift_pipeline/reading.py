"""Read tables of events from a notebook or a script: an Arrow dataset, parts that never mix, hidden persons."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_pipeline.data_policy import protection
from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import scrub
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.table.delta import EventTable, dataset

if TYPE_CHECKING:
    import pyarrow.dataset as ds

TRAIN, VALIDATION, TEST = "train", "validation", "test"
_PARTS = 2**32


def events(url: str | Path, kind: str, upto: int | None = None, columns: Sequence[str] | None = None) -> "ds.Dataset":
    """Return the rows of a kind as an Arrow dataset; nothing is read until something asks for rows.

    Args:
        url: the folder of tables, or its address in object storage.
        kind: for example `issue`.
        upto: number of the last event, as a `Snapshot` has it; None for all that are landed.
        columns: names to keep; None for all.

    Returns:
        A `pyarrow.dataset.Dataset`: `to_table()`, `to_batches()`, or a relation of DuckDB by its name. Rows come in no
        order; `seq` (int64) numbers them.

    Raises:
        TableError: there is no such table, or it is not one of events.
        UnsupportedVersionError: it is of a newer format.
    """
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    data: ds.Dataset = dataset(EventTable(str(url), kind).required())
    if columns is not None:
        # A filter on `seq` has to see it, and is applied before columns are left out.
        data = data.replace_schema(_kept(data.schema, [*columns, *(["seq"] if upto is not None else [])]))
    return data if upto is None else data.filter(pc.field("seq") <= upto)


def _kept(schema: object, names: Iterable[str]) -> object:
    import pyarrow as pa

    return pa.schema([schema.field(name) for name in dict.fromkeys(names)])  # type: ignore[attr-defined]


def split(ids: Iterable[int | str], *, validation: float = 0.1, test: float = 0.1) -> list[str]:
    """Return for each object its part, `train`, `validation` or `test`; the same object is always in the same part.

    The part follows from SHA-256 of the object's number alone: new rows never move old ones, and all events of one
    issue stay together.

    Args:
        ids: numbers (or names) of objects, one for each row.
        validation: share of the objects, 0 to 1.
        test: share of the objects, 0 to 1.

    Raises:
        ValueError: the shares are not between 0 and 1 together.
    """
    if not (validation >= 0 and test >= 0 and validation + test <= 1):
        raise ValueError(f"validation {validation} and test {test}: expected shares that add up to at most 1")
    first, second = test * _PARTS, (test + validation) * _PARTS
    places = (int.from_bytes(hashlib.sha256(str(one).encode("utf-8")).digest()[:4], "big") for one in ids)
    return [TEST if place < first else VALIDATION if place < second else TRAIN for place in places]


def pseudonym(who: int | str, key: str | Path | bytes) -> str:
    """Return what stands for a person in every table of one pipeline: `u_` and 24 hexadecimal digits.

    Args:
        who: the number of a user (an int), or a user name or mail address.
        key: the file `pseudonym.key` of the pipeline, or its 32 bytes.

    Raises:
        KeyFileError: others can read the file, or it holds something else.
        ValueError: the bytes are not 32.
    """
    return protection.pseudonym(who, key if isinstance(key, bytes) else read_key(Path(key)))


__all__ = ["Snapshot", "events", "pseudonym", "scrub", "split"]
