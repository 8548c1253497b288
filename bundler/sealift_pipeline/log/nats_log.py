"""The log as a stream of NATS JetStream, in files of the server: for a pipeline that has outgrown one machine.

What `append` returns, JetStream acknowledged: a majority of the stream's replicas has it. A second delivery is known by
its `Nats-Msg-Id` for an hour; after that the lander knows it by its key in the table.

A stream cannot be numbered anew, so a number of the log is that of the stream plus what the stream's description says.
A trim leaves a marker without content in the place of the newest record: an empty stream could forget its last number,
and a purge of the newest message could take one with it that comes at the same moment.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sealift_common.errors import UnsupportedVersionError
from sealift_pipeline.data_policy.record import Record
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.log.base import MOST_READ_BYTES, Entry, Position, Rejection, digest, read_back, written
from sealift_pipeline.log.nats_connection import NatsConnection
from sealift_pipeline.settings.nats import NatsSettings

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import StreamInfo

FORMAT = 1
DUPLICATE_WINDOW_S = 3600
KEPT_REJECTIONS = 100_000
_DESCRIPTION = re.compile(r"Sealift event log, format (\d{1,9}), numbered above (\d{1,18})")
# The header that carries the number of a message, and the subject.
_HEADER_BYTES = 1024
_NO_MESSAGE = 10037
_AT_ONCE = 128
_READ_S = 60.0


class NatsLog:
    """A log in one stream, and what was rejected in a second one; both are made where they are missing.

    It connects with the first call, so that a receiver can start before the server does.

    Args:
        settings: where the servers are, and what they ask for.

    Raises:
        EventLogError: nats-py is not installed, or the file of certificates is none.
        KeyFileError: others can read the file of a secret.
    """

    forgets_keys = True

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._stream = settings.stream
        self._record, self._marker = f"{self._stream}.record", f"{self._stream}.trimmed"
        self._most_bytes = 0
        self._connection = NatsConnection(settings, self._prepare)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._connection.close()

    @property
    def identity(self) -> str:
        """When the stream was made: one that was made anew is another log."""
        return self._connection.call(self._identity)

    def takes(self, record: Record) -> bool:
        """Return whether a record fits into one message of the server; see `EventLog.takes`."""
        if not self._most_bytes:
            self.position()
        return len(written(record)) <= self._most_bytes

    def append(self, records: Sequence[Record]) -> list[bool]:
        """Publish records, and wait until JetStream acknowledged each; see `EventLog.append`."""
        messages = [(digest(record.key).hex(), written(record)) for record in records]

        async def publish(stream: "JetStreamContext") -> list[bool]:
            acknowledged = await asyncio.gather(
                *(
                    stream.publish(self._record, content, stream=self._stream, headers={"Nats-Msg-Id": key})
                    for key, content in messages
                )
            )
            return [not one.duplicate for one in acknowledged]

        return self._connection.call(publish)

    def reject(self, rejection: Rejection) -> None:
        """Keep that an event did not fit, of the newest 100,000."""

        async def publish(stream: "JetStreamContext") -> None:
            await stream.publish(f"{self._stream}.rejected.{rejection.digest}", json.dumps(rejection).encode("utf-8"))

        self._connection.call(publish)

    def read(self, after: int, limit: int) -> list[Entry]:
        """Return the oldest records that are not trimmed; see `EventLog.read`.

        Each is asked for by its number, so none can be passed over: what is not there was trimmed.
        """

        async def read(stream: "JetStreamContext") -> list[Entry]:
            info = await stream.stream_info(self._stream)
            above = _numbered_above(info)
            found: list[Entry] = []
            size, place = 0, max(after - above + 1, info.state.first_seq, 1)
            while place <= info.state.last_seq and len(found) < limit and size <= MOST_READ_BYTES:
                end = min(place + min(_AT_ONCE, limit - len(found)), info.state.last_seq + 1)
                contents = await asyncio.gather(*(self._content(stream, number) for number in range(place, end)))
                for number, content in enumerate(contents, place):
                    if content is not None:
                        found.append(Entry(number + above, read_back(content)))
                        size += len(content)
                place = end
            return found

        return self._connection.call(read, timeout_s=_READ_S)

    def trim(self, upto: int) -> bool:
        """Purge records up to a number, all but a marker; see `EventLog.trim`.

        True says that the server was told: what its disks hold of deleted files is for its administrator.
        """

        async def trim(stream: "JetStreamContext") -> None:
            info = await stream.stream_info(self._stream)
            newest = min(upto - _numbered_above(info), info.state.last_seq)
            if newest < max(info.state.first_seq, 1):
                return
            if newest == info.state.last_seq:
                await stream.publish(self._marker, b"", stream=self._stream)
            # What is kept begins here. This number is there already: a purge beyond the last one, or with 1, takes all.
            await stream.purge_stream(self._stream, seq=newest + 1)

        self._connection.call(trim)
        return True

    def start_above(self, seq: int) -> None:
        """Renumber; see `EventLog.start_above`."""

        async def describe(stream: "JetStreamContext") -> None:
            config = (await stream.stream_info(self._stream)).config
            config.description = _description(seq)
            await stream.update_stream(config)

        self._connection.call(describe)

    def position(self) -> Position:
        """Return where the log stands."""

        async def position(stream: "JetStreamContext") -> Position:
            info = await stream.stream_info(self._stream, subjects_filter=">")
            rejected = await stream.stream_info(self._rejected)
            above, waiting = _numbered_above(info), (info.state.subjects or {}).get(self._record, 0)
            trimmed = max(info.state.first_seq - 1, 0) + above
            last = info.state.last_seq + above if waiting else trimmed
            return Position(last, trimmed, waiting, rejected.state.messages)

        return self._connection.call(position)

    @property
    def _rejected(self) -> str:
        return f"{self._stream}-rejected"

    async def _identity(self, stream: "JetStreamContext") -> str:
        return f"{self._stream}:{(await stream.stream_info(self._stream)).created}"

    async def _content(self, stream: "JetStreamContext", number: int) -> bytes | None:
        from nats.js.errors import NotFoundError

        try:
            message = await stream.get_msg(self._stream, number)
        except NotFoundError as error:
            if error.err_code == _NO_MESSAGE:
                return None
            raise
        return message.data if message.subject == self._record else None

    async def _prepare(self, client: "Client", stream: "JetStreamContext") -> None:
        """Make the streams where they are missing, and refuse one that could lose a record."""
        from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
        from nats.js.errors import NotFoundError

        self._most_bytes = client.max_payload - _HEADER_BYTES
        wanted = StreamConfig(
            name=self._stream,
            description=_description(0),
            subjects=[self._record, self._marker],
            retention=RetentionPolicy.LIMITS,
            # A full stream takes nothing; it must never drop what is not landed.
            discard=DiscardPolicy.NEW,
            storage=StorageType.FILE,
            num_replicas=self._settings.replicas,
            duplicate_window=DUPLICATE_WINDOW_S,
        )
        refused = StreamConfig(
            name=self._rejected,
            description="Sealift: digests of events that did not fit",
            subjects=[f"{self._stream}.rejected.*"],
            max_msgs=KEPT_REJECTIONS,
            max_msgs_per_subject=1,
            storage=StorageType.FILE,
            num_replicas=self._settings.replicas,
        )
        for config in (wanted, refused):
            try:
                info = await stream.stream_info(str(config.name))
            except NotFoundError:
                info = await stream.add_stream(config)
            if config is wanted:
                _require_durable(info)


def _description(above: int) -> str:
    return f"Sealift event log, format {FORMAT}, numbered above {above}"


def _numbered_above(info: "StreamInfo") -> int:
    name = info.config.name
    match = _DESCRIPTION.fullmatch(info.config.description or "")
    if match is None:
        raise EventLogError(f"stream {name!r} is not a log of Sealift; give `stream` in [log] another name")
    if int(match[1]) > FORMAT:
        raise UnsupportedVersionError(f"stream {name!r} has format {match[1]}; this Sealift knows {FORMAT}")
    return int(match[2])


def _require_durable(info: "StreamInfo") -> None:
    _numbered_above(info)
    config = info.config
    wrong = [
        text
        for text, is_wrong in (
            ("storage is not file", config.storage != "file"),
            ("retention is not limits", config.retention != "limits"),
            ("discard is not new", config.discard != "new"),
            ("max_age is set", bool(config.max_age)),
            ("max_msgs_per_subject is set", config.max_msgs_per_subject not in (-1, 0)),
            ("no_ack is set", config.no_ack),
        )
        if is_wrong
    ]
    if wrong:
        raise EventLogError(f"stream {config.name!r} could lose an event: {', '.join(wrong)}; correct that")
