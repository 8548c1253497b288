"""One connection to NATS for all threads of a process: made when it is first needed, and anew after each failure.

The client library runs in an event loop of its own thread. Nothing is buffered for a server that is away: a call fails
then, so the receiver can say so at once.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import TimeoutError as WaitedTooLongError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from sealift_common.errors import Error
from sealift_pipeline.data_policy.key_file import read_secret
from sealift_pipeline.errors import EventLogError
from sealift_pipeline.settings.nats import NatsSettings

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

_CONNECT_S = 1
# GitLab waits 10 s for an answer, and the committer 9 s.
ANSWER_S = 5.0
_Result = TypeVar("_Result")


class NatsConnection:
    """Calls JetStream from any thread.

    Args:
        settings: where the servers are, and what they ask for.
        prepare: called with each new connection before anything else is.

    Raises:
        EventLogError: nats-py is not installed, or the file of certificates is none.
        KeyFileError: others can read the file of a secret.
        OSError: such a file cannot be read.
    """

    def __init__(
        self, settings: NatsSettings, prepare: Callable[["Client", "JetStreamContext"], Awaitable[None]]
    ) -> None:
        try:
            import nats  # noqa: F401 - says early that it is missing
        except ImportError:
            raise EventLogError("a log on NATS needs nats-py; run: pip install 'sealift[pipeline-nats]'") from None
        self._settings = settings
        self._prepare = prepare
        self._options = _options(settings)
        self._client: Client | None = None
        self._loop = asyncio.new_event_loop()
        self._connecting = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()

    def call(self, what: Callable[["JetStreamContext"], Awaitable[_Result]], *, timeout_s: float = ANSWER_S) -> _Result:
        """Return what a coroutine returns that is given JetStream.

        Raises:
            EventLogError: no server answers in time, or it refuses; the message says which.
        """
        future = asyncio.run_coroutine_threadsafe(self._run(what, timeout_s), self._loop)
        try:
            return future.result(timeout_s + _CONNECT_S)
        except WaitedTooLongError:
            future.cancel()
            raise self._error("it does not answer") from None

    def close(self) -> None:
        """End the connection and its thread."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(ANSWER_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _run(self, what: Callable[["JetStreamContext"], Awaitable[_Result]], timeout_s: float) -> _Result:
        import nats.errors
        from nats.js.errors import APIError

        try:
            async with asyncio.timeout(timeout_s):
                return await what((await self._connected()).jetstream(timeout=timeout_s))
        except Error:
            raise
        except APIError as error:
            raise self._error(error.description or type(error).__name__) from error
        except (OSError, ValueError, nats.errors.Error) as error:
            await self._drop()
            raise self._error(str(error) or type(error).__name__) from error

    async def _connected(self) -> "Client":
        async with self._connecting:
            if self._client is not None and self._client.is_connected:
                return self._client
            await self._drop()
            client = await self._connect()
            try:
                await self._prepare(client, client.jetstream(timeout=ANSWER_S))
            except BaseException:
                await _close(client)
                raise
            self._client = client
            return client

    async def _connect(self) -> "Client":
        import nats.errors
        from nats.aio.client import Client

        last: Exception | None = None
        for server in self._settings.servers:
            client = Client()
            try:
                await client.connect(server, **self._options)
            except (OSError, nats.errors.Error) as error:
                last = client.last_error or error
                await _close(client)
            else:
                return client
        raise self._error(str(last) or type(last).__name__)

    async def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await _close(client)

    def _error(self, why: str) -> EventLogError:
        servers = ", ".join(self._settings.servers)
        return EventLogError(f"log on NATS at {servers}: {why}; check that nats-server runs there with JetStream")


def _options(settings: NatsSettings) -> dict[str, Any]:
    # Failures are raised where somebody waits; the library would log them once more.
    options: dict[str, Any] = {
        "name": "sealift-pipeline",
        "allow_reconnect": False,
        # The library tries a server once more than this, and 0 means without end.
        "max_reconnect_attempts": 1,
        "reconnect_time_wait": 0,
        "connect_timeout": _CONNECT_S,
        "error_cb": _say_nothing,
    }
    if settings.token_file is not None:
        options["token"] = read_secret(settings.token_file, "token of NATS").decode("ascii")
    if settings.password_file is not None:
        options["user"] = settings.user
        options["password"] = read_secret(settings.password_file, "password of NATS").decode("ascii")
    if any(server.startswith("tls://") for server in settings.servers):
        try:
            options["tls"] = ssl.create_default_context(cafile=settings.ca_file)
        except ssl.SSLError as error:
            raise EventLogError(f"{str(settings.ca_file)!r} holds no certificate in PEM: {error.reason}") from error
    return options


async def _close(client: "Client") -> None:
    """Close a connection, for half a second: after a TLS handshake that failed the library waits for the other side."""
    with suppress(TimeoutError):
        await asyncio.wait_for(client.close(), 0.5)


async def _say_nothing(_error: Exception) -> None:
    """Leave it to the caller."""
