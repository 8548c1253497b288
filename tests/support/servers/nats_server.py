"""nats-server on loopback, with JetStream in files of its own, for as long as a test wants it.

It is Debian's, or the program that the variable NATS_SERVER names.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from support.servers.registry_server import free_port


class NatsServer:
    """One server; `stop`, `kill` and `start` go by its process id.

    Args:
        folder: for its configuration, its files and what it says.
        syncs: each message before it is acknowledged; version 2.10 or newer.
        more: settings for its configuration, for example `authorization` or `tls`.
    """

    def __init__(self, folder: Path, *, syncs: bool = False, **more: object) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        # JSON is a configuration of nats-server.
        self._config = folder / "nats.conf"
        jetstream = {"store_dir": str(folder / "store"), **({"sync_interval": "always"} if syncs else {})}
        self._config.write_text(json.dumps({"host": "127.0.0.1", "port": self.port, "jetstream": jetstream, **more}))
        self.scheme = "tls" if "tls" in more else "nats"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    def start(self) -> None:
        log = self.folder / "said"
        with log.open("ab") as output:
            self.process = subprocess.Popen([_program(), "-c", self._config], stdout=output, stderr=output)
        for _ in range(1000):
            assert self.process.poll() is None, log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"nats-server does not listen: {log.read_text()}")

    def kill(self) -> None:
        """End it at once, as a crash does."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it in order."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait()


def _program() -> str:
    path = os.environ.get("NATS_SERVER") or which("nats-server")
    assert path, "nats-server is not installed; run .ci/debian-packages as root"
    return path


def version() -> tuple[int, ...]:
    """Version of the server."""
    said = subprocess.run([_program(), "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    return tuple(int(part) for part in said.rpartition("v")[2].strip().split("."))


@contextmanager
def nats_server(folder: Path, **more: object) -> Iterator[NatsServer]:
    """Run a server; it is stopped by its process id."""
    server = NatsServer(folder, **more)
    try:
        yield server
    finally:
        server.stop()
