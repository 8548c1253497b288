"""Debian's docker-registry on loopback, with its own configuration and storage, for as long as a test wants it."""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

_NO_PROXY = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
_REQUEST = re.compile(r'"(GET|HEAD|POST|PUT|PATCH) (\S+) HTTP/1\.[01]" (\d+)')


@dataclass
class RegistryServer:
    host: str
    directory: Path
    log: Path

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path and status of everything that was asked so far."""
        return [(method, path, int(status)) for method, path, status in _REQUEST.findall(self.log.read_text())]

    def forget(self) -> None:
        """Begin to count requests anew."""
        os.truncate(self.log, 0)


def private_ca(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> Path:
    """Make a private CA (`ca.pem`), and a certificate of it for this machine (`server.pem`, `server.key`)."""

    def run(*arguments: str) -> None:
        subprocess.run([_tool("openssl"), *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    run("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=our own CA", "-days", "2")
    run("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=registry")
    (folder / "ext").write_text(f"subjectAltName={names}\n")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", "1")
    run("x509", "-req", "-in", "server.csr", *sign, "-out", "server.pem")
    return folder


def password_file(path: Path, user: str, password: str) -> Path:
    """Write the registry's list of passwords."""
    subprocess.run([_tool("htpasswd"), "-Bbc", path, user, password], check=True, capture_output=True)
    return path


def _tool(name: str) -> str:
    path = which(name)
    assert path, f"{name} is not installed; run .ci/debian-packages as root"
    return path


def free_port(address: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


@contextmanager
def docker_registry(
    directory: Path,
    *,
    certificate: tuple[Path, Path] | None = None,
    htpasswd: Path | None = None,
    token: dict[str, str] | None = None,
    address: str = "127.0.0.1",
    port: int | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[RegistryServer]:
    """Run a registry; it is stopped by its process id.

    Args:
        certificate: certificate and key (PEM), for TLS.
        token: the registry's `auth.token` settings.
        prefix: a command that runs it somewhere else, `ip netns exec NAME` say.
    """
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_port(address)
    http = {"addr": f"{address}:{port}"}
    if certificate is not None:
        http["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    auth = {"htpasswd": {"realm": "test", "path": str(htpasswd)}} if htpasswd else {"token": token} if token else {}
    config = directory / "config.yml"
    # JSON is YAML.
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "log": {"level": "error", "accesslog": {"disabled": False}},
                "storage": {"filesystem": {"rootdirectory": str(directory / "storage")}},
                "http": http,
                **({"auth": auth} if auth else {}),
            }
        )
    )
    log = directory / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, _tool("docker-registry"), "serve", str(config)], stdout=output, stderr=output, env=_NO_PROXY
        )
    try:
        if not prefix:
            _wait(process, address, port, log)
        yield RegistryServer(f"{address}:{port}", directory, log)
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen, address: str, port: int, log: Path) -> None:
    for _ in range(500):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("docker-registry does not listen")
