"""One table of events, in a folder or in object storage: append, scan, remove rows, compact.

Statistics are kept of `seq` alone: the log of a table keeps the least and greatest text of a column, and never forgets.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sealift_common.errors import UnsupportedVersionError
from sealift_pipeline.errors import TableError
from sealift_pipeline.table.places import file_system

if TYPE_CHECKING:
    import pyarrow.dataset as ds
    from deltalake import CommitProperties, DeltaTable, WriterProperties

FORMAT = 1
NAME = "sealift-events"
# What this library reads and writes; a table of a newer protocol is for a newer one.
_READER, _WRITER = 1, 2
_CONFIGURATION = {"delta.dataSkippingStatsColumns": "seq"}
# Of old versions, for those who read them still.
_KEPT_HOURS = 7 * 24
_BATCH_ROWS = 4096
# What is lost at most where a page cannot be decoded, and what `verify` then names.
ROWS_OF_A_GROUP = 512
# As many as the embedded log knows.
_KEYS_OF_ROWS = 5_000_000


class EventTable:
    """A table, which need not exist yet.

    Args:
        place: address of the folder of tables.
        name: of the kind, or `erased`.
    """

    def __init__(self, place: str, name: str) -> None:
        self.name = name
        self.uri = f"{place.rstrip('/')}/{name}"

    @property
    def path(self) -> Path | None:
        """The folder; None in object storage, which is durable by itself."""
        return None if "://" in self.uri else Path(self.uri)

    def open(self) -> "DeltaTable | None":
        """Open the table as it is now; None where there is none.

        Raises:
            TableError: it is not one of ours, or damaged.
            UnsupportedVersionError: it is of a newer format.
        """
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            table = DeltaTable(self.uri)
            protocol, metadata = table.protocol(), table.metadata()
        except TableNotFoundError:
            return None
        except (DeltaError, OSError, ValueError) as error:
            if any(word in str(error) for word in ("reader version", "writer version", "Unsupported", "unsupported")):
                raise UnsupportedVersionError(self._newer(_first_line(error))) from error
            raise TableError(f"table {self.uri!r} cannot be opened: {_first_line(error)}") from error
        if protocol.min_reader_version > _READER or protocol.min_writer_version > _WRITER:
            asked = f"Delta reader {protocol.min_reader_version} and writer {protocol.min_writer_version}"
            raise UnsupportedVersionError(self._newer(asked))
        if metadata.name != NAME:
            raise TableError(
                f"table {self.uri!r} is not one of events that Sealift wrote; give the pipeline a new folder"
            )
        if metadata.description != f"format {FORMAT}":
            raise UnsupportedVersionError(self._newer(str(metadata.description)[:40]))
        return table

    def _newer(self, asked: str) -> str:
        known = f"this Sealift knows format {FORMAT}, Delta reader {_READER} and writer {_WRITER}"
        return f"table {self.uri!r} asks for {asked}; {known}: upgrade it"

    def required(self) -> "DeltaTable":
        """Open the table; raises TableError also where there is none."""
        table = self.open()
        if table is None:
            raise TableError(f"table {self.uri!r} does not exist; land events of it first")
        return table

    @property
    def identity(self) -> str:
        """The identity of the table, as its data snapshots have it; raises what `required` raises."""
        return str(self.required().metadata().id)

    def opened_or_new(self, schema: pa.Schema) -> "DeltaTable":
        """Open the table; make one without rows where there is none. Of two who make it at once, one makes it.

        Raises:
            TableError, UnsupportedVersionError: as `open`; or it cannot be written.
        """
        from deltalake import DeltaTable

        opened = self.open()
        if opened is not None:
            return opened
        with self._written():
            DeltaTable.create(
                self.uri,
                schema,
                mode="ignore",
                name=NAME,
                description=f"format {FORMAT}",
                configuration=_CONFIGURATION,
                commit_properties=_only_next(),
            )
        return self.required()

    def append(self, opened: "DeltaTable", rows: pa.Table, *, writer: str, upto: int) -> None:
        """Commit rows to the version that was opened, and with them that this writer has come to `upto`.

        Args:
            opened: the version that `position` was read in. Where somebody else committed since, nothing is written:
                Delta's log takes each version once, in a folder by a link and on S3 by `If-None-Match: *`.

        Raises:
            TableError: the table refuses them, or has a newer version.
        """
        from deltalake import write_deltalake

        with self._written():
            write_deltalake(
                opened,
                rows,
                mode="append",
                schema_mode="merge",
                writer_properties=_writing(),
                commit_properties=_only_next(writer, upto),
            )

    def remove(self, numbers: Sequence[int]) -> None:
        """Commit that these rows are gone; the log of the table names neither them nor a person.

        Raises:
            TableError: the table refuses, or somebody else wrote to it meanwhile.
        """
        source = pa.table({"seq": pa.array(numbers, pa.int64())})
        with self._written():
            merge = self.required().merge(
                source,
                "t.seq = s.seq",
                source_alias="s",
                target_alias="t",
                writer_properties=_writing(),
                commit_properties=_only_next(),
            )
            merge.when_matched_delete().execute()

    def vacuum(self, *, everything: bool) -> None:
        """Delete files that no version needs; with `everything`, also those of all versions but this one.

        A lander on another machine may have written a file that it has not committed yet. So what is to go is listed,
        then a version without any change is committed, after which no commit to an older version is taken; then goes
        what was listed and is in no version.

        Raises:
            TableError: the table refuses, or somebody else wrote to it meanwhile.
        """
        hours = 0 if everything else _KEPT_HOURS
        with self._written():
            table = self.required()
            # Full, for a write that found no room leaves a file that no version ever named.
            listed = table.vacuum(retention_hours=hours, enforce_retention_duration=False, dry_run=True, full=True)
            if not listed:
                return
            table.alter.set_table_properties(_CONFIGURATION, commit_properties=_only_next())
            needed = {path for path, *_ in files(self.required())}
            system = file_system(self.uri)
            for path in set(listed) - needed:
                # An earlier one may have deleted it, for what was removed stays in the list.
                with suppress(FileNotFoundError):
                    system.delete_file(path)

    def compact(self) -> None:
        """Write small files together.

        Raises:
            TableError: the table refuses, or somebody else wrote to it meanwhile.
        """
        with self._written():
            self.required().optimize.compact(writer_properties=_writing(), commit_properties=_only_next())

    @contextmanager
    def _written(self) -> Iterator[None]:
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            yield
        except CommitFailedError as error:
            hint = "another lander or erasure wrote to it at the same moment; nothing was written twice, run it again"
            raise TableError(f"table {self.uri!r} has a newer version: {hint}") from error
        except (DeltaError, OSError) as error:
            raise TableError(f"table {self.uri!r} cannot be written: {_first_line(error)}") from error


def position(table: "DeltaTable | None", writer: str) -> int:
    """Return how far a writer has come; 0 where it never wrote."""
    return 0 if table is None else int(table.transaction_version(writer) or 0)


def greatest(table: "DeltaTable | None") -> int:
    """Return the greatest number of a row, from the statistics of the files."""
    return max((last for _, _, last, _ in files(table)), default=0) if table is not None else 0


def files(table: "DeltaTable") -> list[tuple[str, int, int, int]]:
    """Return of each file its address in the table, the first and last number of its rows, and its size in bytes."""
    # As a stream: `pa.table` looks whether this is a data frame of pandas, and imports it for that.
    actions = pa.RecordBatchReader.from_stream(table.get_add_actions(flatten=True)).read_all()
    names = ("path", "min.seq", "max.seq", "size_bytes")
    if not set(names) <= set(actions.column_names):
        return []
    return list(zip(*(actions.column(name).to_pylist() for name in names), strict=True))


def dataset(table: "DeltaTable") -> "ds.Dataset":
    """Return the rows of a table as an Arrow dataset; nothing is read yet. It imports pandas, which takes a second."""
    found: ds.Dataset = table.to_pyarrow_dataset(filesystem=file_system(table.table_uri))
    return found


def scan(table: "DeltaTable", columns: Sequence[str], upto: int | None = None) -> Iterator[pa.RecordBatch]:
    """Yield some columns of all rows up to a number, in no order, some thousand rows at a time.

    Raises:
        OSError, pyarrow.ArrowException: a file is damaged.
    """
    where = None if upto is None else pc.field("seq") <= upto
    data = dataset(table)
    # One batch in advance: this bounds the memory.
    yield from data.scanner(
        columns=list(columns), filter=where, batch_size=_BATCH_ROWS, batch_readahead=1, fragment_readahead=1
    ).to_batches()


def known_keys(table: "DeltaTable", keys: Sequence[str]) -> set[str]:
    """Return which of these keys the newest five million rows have."""
    return _present(table, pa.array(keys, pa.string()), greatest(table) - _KEYS_OF_ROWS)


def erased_keys(erased: "DeltaTable", digests: Sequence[bytes]) -> set[bytes]:
    """Return which of these digests of keys were erased; none in a table from before it kept them."""
    if "key" not in dataset(erased).schema.names:
        return set()
    return _present(erased, pa.array(digests, pa.binary()), 0)


def _present(table: "DeltaTable", wanted: pa.Array, above: int) -> set[Any]:
    # A filter on the key itself fails on files that a merge wrote: Arrow reads their texts as string_view.
    batches = dataset(table).to_batches(columns=["key"], filter=pc.field("seq") > above)
    return {
        key
        for batch in batches
        for key in batch.column("key").filter(pc.is_in(batch.column("key"), value_set=wanted)).to_pylist()
    }


def about(table: "DeltaTable", subjects: Sequence[str]) -> Iterator[tuple[int, bytes, str]]:
    """Yield number, leaf and key of each row that is about one of these persons."""
    wanted = set(subjects)
    for batch in scan(table, ("seq", "leaf", "key", "subjects")):
        values = zip(*(batch.column(name).to_pylist() for name in ("seq", "leaf", "key", "subjects")), strict=True)
        yield from ((seq, leaf, key) for seq, leaf, key, persons in values if not wanted.isdisjoint(persons or ()))


def numbered(table: "DeltaTable", numbers: Sequence[int]) -> Iterator[tuple[int, bytes, str]]:
    """Yield number, leaf and key of each of these rows that is there."""
    wanted = pa.array(numbers, pa.int64())
    for batch in scan(table, ("seq", "leaf", "key")):
        found = batch.filter(pc.is_in(batch.column("seq"), value_set=wanted))
        yield from zip(*(found.column(name).to_pylist() for name in ("seq", "leaf", "key")), strict=True)


def counts(table: "DeltaTable") -> Mapping[str, Any]:
    """Return what `status` says of a table."""
    listed = files(table)
    return {
        "rows": int(table.count()),
        "files": len(listed),
        "size": sum(size for *_, size in listed),
        "last": greatest(table),
        "version": int(table.version()),
    }


def _only_next(writer: str = "", upto: int = 0) -> "CommitProperties":
    """Commit as the version after the one that was opened, or not at all; with how far a writer has come."""
    from deltalake import CommitProperties, Transaction

    come = [Transaction(app_id=writer, version=upto)] if writer else []
    return CommitProperties(app_transactions=come, max_commit_retries=0)


def _writing() -> "WriterProperties":
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=ROWS_OF_A_GROUP)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
