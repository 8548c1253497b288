"""Run the server: open the sockets, load the models, answer until a signal comes, and let every answer finish."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from sealift.limits import LIMITS
from sealift.serving.answering.catalog import Catalog, Wanted
from sealift.serving.application import Application
from sealift.serving.listening.clients import Clients
from sealift.serving.listening.connections import BoundedProtocol
from sealift.serving.listening.service_manager import ServiceManager
from sealift.store import Store
from sealift_common.interrupts import ENDING, Interrupted

# What is told: the model, or "" for the server itself, and one line.
Tell = Callable[[str, str], object]
_TICKS_A_SECOND = 10


class Server(uvicorn.Server):
    """uvicorn's server, with our bounds and signals.

    Attributes:
        heard: the signal that ended it.
    """

    def __init__(
        self, config: uvicorn.Config, clients: Clients, manager: ServiceManager, tick: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self.server_state = clients.state
        self.heard: int | None = None
        self._clients = clients
        self._manager = manager
        self._tick = tick

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End in peace at the first signal, and at once at the second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        ours = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.getsignal(number) for number in ours}
        for number in ours:
            loop.add_signal_handler(number, self._end, number)
        try:
            yield
        finally:
            for number in ours:
                loop.remove_signal_handler(number)
                signal.signal(number, before[number])

    async def on_tick(self, counter: int) -> bool:
        """Do what is done some times a second."""
        self._tick()
        now = asyncio.get_running_loop().time()
        self._manager.alive(now)
        if counter % _TICKS_A_SECOND == 0:
            self._clients.check_time(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more requests, and let those finish that are here."""
        self._manager.stopping()
        # uvicorn waits for connections; what waits for a model, and clients that are slow, still have their bounds.
        waiting = asyncio.create_task(self._while_ending())
        try:
            await super().shutdown(sockets)
        finally:
            waiting.cancel()

    async def _while_ending(self) -> None:
        while True:
            await asyncio.sleep(1 / _TICKS_A_SECOND)
            self._tick()
            now = asyncio.get_running_loop().time()
            self._manager.alive(now)
            self._clients.check_time(now)

    def _end(self, number: int) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True
        self.heard = number


class Service:
    """The models and the server that answers with them.

    Args:
        store: whose models.
        wanted: which of them; nothing means every active one.
        sockets: that listen already.
        threads: of one run; None leaves it to ONNX Runtime.
        deadline_s: how long a request may wait and run.
        tell: told what happens to the models, in the thread where it happens.
    """

    def __init__(
        self,
        store: Store,
        wanted: Sequence[Wanted],
        sockets: Sequence[socket.socket],
        *,
        threads: int | None = None,
        deadline_s: float = 30.0,
        tell: Tell,
    ) -> None:
        self._catalog = Catalog(store, wanted, threads, tell)
        self._sockets = list(sockets)
        self._tell = tell
        self._manager = ServiceManager()
        # What was said last: None while nothing was.
        self._said: str | None = None
        clients = Clients()
        self._application = Application(self._catalog, deadline_s, clients)
        self.server = Server(_config(self._application, deadline_s), clients, self._manager, self._tick)

    async def run(self) -> int | None:
        """Answer until a signal comes; return its number, or None where `stop` was called."""
        self._catalog.start()
        try:
            await self.server.serve(self._sockets)
        finally:
            self._catalog.stop()
            self._application.close()
        self._tell("", "stopped")
        return self.server.heard

    def stop(self) -> None:
        """Take no more requests, let the others finish, and end; from any thread."""
        self.server.should_exit = True

    def _tick(self) -> None:
        self._application.tick()
        if not self._catalog.is_complete:
            return
        problem = self._catalog.problem
        said = "ready" if problem is None else f"not ready: {problem}"
        if self._said is None:
            # The service runs, and answers once its store is better: a restart would change nothing.
            self._manager.ready(
                said if problem else f"serving {', '.join(self._catalog.names())[:200] or 'nothing yet'}"
            )
        if self._said != said:
            self._said = said
            self._tell("", said)


def serve(service: Service) -> None:
    """Serve until a signal comes.

    Raises:
        Interrupted: it came, and every answer that had begun is out.
    """
    heard = asyncio.run(service.run())
    stop = Interrupted(heard if heard is not None else signal.SIGTERM)
    stop.is_the_end = True
    raise stop


def _config(application: Any, deadline_s: float) -> uvicorn.Config:
    # What a stranger sends is not news, and its own words do not belong into a log.
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return uvicorn.Config(
        application,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        # Ours, which also knows the time before the first request.
        timeout_keep_alive=int(2 * LIMITS.serve_idle_s),
        timeout_graceful_shutdown=int(deadline_s) + 5,
    )
