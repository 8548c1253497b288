"""Registries as sites have them: behind a proxy, busy, away for a moment, with logins of Podman."""

import json
import logging
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support.hostile.registry import hostile_registry
from support.servers.registry_server import private_ca

from sealift.cli import cli
from sealift.errors import LocalError
from sealift.limits import LIMITS
from sealift.registry import session, transport
from sealift.registry.access import Access
from sealift.registry.credentials import Login, find_login
from sealift.registry.origin import Origin
from sealift.registry.proxies import proxy_for
from sealift.registry.session import seconds_of
from sealift.registry.transport import Transport

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def pauses(monkeypatch):
    """The waits between tries, which take no time here."""
    found = []
    monkeypatch.setattr(session.time, "sleep", found.append)
    return found


@pytest.fixture
def registry():
    with hostile_registry() as server:
        yield server


def ask(registry):
    """Ask a registry of this machine for a manifest, as every command begins."""
    from sealift.registry.address import parse
    from sealift.registry.repository import open_repository

    with open_repository(parse(f"oci://{registry.host}/models"), Access(), "pull") as repository:
        return repository.manifest("latest")


def test_a_refused_connection_fails_at_once(call, pauses):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    status, _, err = call(cli, "inspect", f"oci://127.0.0.1:{port}/models:1")
    assert status == 3
    assert f"no connection to http://127.0.0.1:{port}" in err or f"no connection to https://127.0.0.1:{port}" in err
    assert "connection refused; nothing listens there" in err
    assert "tries" not in err
    assert pauses == []


def test_an_unknown_host_fails_at_once(pauses, monkeypatch):
    def unknown(*_args, **_named):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(LocalError, match="this machine knows no such host; check the address"):
        session.retrying(
            lambda: Transport(Access()).exchange("GET", "https://registry.invalid/v2/", {}), "https://registry.invalid/"
        )
    assert pauses == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 30 ", 30.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 999999999.0),
    ],
    ids=str,
)
def test_what_retry_after_asks_for(header, seconds):
    assert seconds_of(header, NOW) == seconds


def test_a_busy_server_is_obeyed_and_the_wait_is_shown(registry, pauses, caplog):
    said = iter([(429, "3"), (503, None)])

    def busy(handler):
        status, after = next(said, (None, None))
        if status is None:
            return False
        handler.say(status, **({"Retry_After": after} if after else {}))
        return True

    registry.lie = busy
    registry.manifests["latest"] = b"{}"
    with caplog.at_level(logging.WARNING, "sealift.registry"):
        assert ask(registry)
    assert pauses == [3.0, 1.0]
    assert "HTTP 429; trying again in 3 s" in caplog.messages[0]
    assert "HTTP 503; trying again in 1 s" in caplog.messages[1]


def test_a_server_that_asks_for_an_hour_is_left_alone(registry, pauses):
    registry.lie = lambda handler: handler.say(429, Retry_After="3600") or True
    with pytest.raises(LocalError, match=r"is busy \(HTTP 429\) and asks to come back in 3,600 s"):
        ask(registry)
    assert pauses == []


def test_a_command_shows_its_retries_and_quiet_hides_them(registry, call, pauses):
    registry.lie = lambda handler: handler.say(503) or True
    status, _, err = call(cli, "inspect", f"oci://{registry.host}/models:1")
    assert (status, err.count("trying again in")) == (3, LIMITS.http_attempts - 1)
    assert f"after {LIMITS.http_attempts} tries: HTTP 503" in err
    assert call(cli, "inspect", f"oci://{registry.host}/models:1", "-q")[2].count("\n") == 1


# --- proxies -----------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def of(host, scheme="https"):
    return proxy_for(Origin(scheme, host, 443))


def test_which_proxy_the_environment_names(monkeypatch):
    assert of("registry.corp") is None
    monkeypatch.setenv("https_proxy", "http://ann:s3cret%40@proxy.corp:3128")
    found = of("registry.corp")
    assert found.url == "http://proxy.corp:3128"
    assert found.headers == {"proxy-authorization": "Basic YW5uOnMzY3JldEA="}
    assert "s3cret" not in repr(found) + str(found)
    assert of("127.0.0.1") is None
    assert of("localhost") is None
    assert of("registry.corp", "http") is None
    monkeypatch.setenv("no_proxy", ".corp,10.0.0.1")
    assert of("registry.corp") is None
    assert of("10.0.0.1") is None
    assert of("elsewhere.example") == found
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy:1080")
    monkeypatch.delenv("https_proxy")
    with pytest.raises(LocalError, match="https_proxy of the environment is not the address of a proxy"):
        of("elsewhere.example")


class Relay(BaseHTTPRequestHandler):
    """A proxy that knows one host, whatever its name: what it is asked goes to `server.behind`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(("GET", self.path, {name.lower(): value for name, value in self.headers.items()}))
        body = b'{"through": "a proxy"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        self.server.asked.append(("CONNECT", self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.server.refuses:
            self.send_response(407, "Proxy Authentication Required")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with socket.create_connection(self.server.behind) as behind:
            self.send_response(200)
            self.end_headers()
            both = [
                threading.Thread(target=_pump, args=pair, daemon=True)
                for pair in ((self.connection, behind), (behind, self.connection))
            ]
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
        self.close_connection = True


def _pump(source, sink):
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@contextmanager
def relay(behind=None):
    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        server.daemon_threads, server.asked, server.behind, server.refuses = True, [], behind, False
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_plain_http_goes_through_the_proxy_of_the_environment(monkeypatch):
    with relay() as proxy:
        monkeypatch.setenv("http_proxy", f"http://ann:pw@127.0.0.1:{proxy.server_address[1]}")
        found = Transport(Access(plain_http=True)).exchange("GET", "http://registry.corp/v2/x?n=1", {"X": "y"})
        assert found.read(100, "it") == b'{"through": "a proxy"}'
    ((method, path, headers),) = proxy.asked
    assert (method, path, headers["host"]) == ("GET", "http://registry.corp/v2/x?n=1", "registry.corp")
    assert headers["proxy-authorization"] == "Basic YW5uOnB3"


def test_tls_goes_through_a_tunnel_and_the_proxy_sees_no_login(monkeypatch, tmp_path):
    ca = private_ca(tmp_path, "DNS:registry.corp")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca / "server.pem", ca / "server.key")
    with relay() as inside, relay(inside.server_address) as proxy:
        inside.socket = context.wrap_socket(inside.socket, server_side=True)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.server_address[1]}")
        transport = Transport(Access(ca_file=ca / "ca.pem"))
        for _ in range(2):
            found = transport.exchange("GET", "https://registry.corp/v2/", {"Authorization": "Basic c2VjcmV0"})
            assert found.read(100, "it") == b'{"through": "a proxy"}'
        transport.close()
    assert [headers["authorization"] for _, _, headers in inside.asked] == ["Basic c2VjcmV0"] * 2
    ((method, path, headers),) = proxy.asked
    assert (method, path) == ("CONNECT", "registry.corp:443")
    assert "authorization" not in headers


def test_a_proxy_that_refuses_is_named_without_its_login(monkeypatch, pauses):
    with relay() as proxy:
        proxy.refuses = True
        monkeypatch.setenv("https_proxy", f"http://ann:s3cret@127.0.0.1:{proxy.server_address[1]}")
        with pytest.raises(
            LocalError, match=r"the proxy http://127\.0\.0\.1:\d+ of the environment does not lead to"
        ) as caught:
            Transport(Access()).exchange("GET", "https://registry.corp/v2/", {})
    assert "407" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_proxy_that_is_not_there(monkeypatch, pauses):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(LocalError, match=r"connection refused by the proxy http://127\.0\.0\.1:9 of the environment"):
        session.retrying(
            lambda: Transport(Access()).exchange("GET", "https://registry.corp/", {}), "https://registry.corp/"
        )
    assert pauses == []


def test_a_proxy_that_drips_is_too_slow(monkeypatch):
    monkeypatch.setattr(transport, "LIMITS", LIMITS._replace(http_timeout_s=0.5))
    monkeypatch.setattr("sealift.registry.pacing.LIMITS", LIMITS._replace(http_timeout_s=0.5))
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip():
            connection, _ = server.accept()
            with connection:
                while not stop.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        began = time.monotonic()
        from sealift.registry.failing import BrokenError

        with pytest.raises((BrokenError, LocalError)):
            Transport(Access()).exchange("GET", "https://registry.corp/v2/", {})
        stop.set()
        thread.join()
    assert time.monotonic() - began < 10


# --- logins ---------------------------------------------------------------------------------------------------


def logins(path, **hosts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"auths": {host.replace("_", "."): {"auth": auth} for host, auth in hosts.items()}}))
    path.chmod(0o600)
    return path


def test_logins_of_podman_and_skopeo(tmp_path):
    me, you, she = "bWU6cHc=", "eW91OnB3", "c2hlOnB3"
    environment = {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "DOCKER_CONFIG": str(tmp_path / "docker")}
    logins(tmp_path / "run/containers/auth.json", reg_corp=me)
    assert find_login("reg.corp", "models", environment) == Login("me", "pw")
    assert find_login("else.corp", "models", environment) is None
    logins(tmp_path / "docker/config.json", reg_corp=you)
    assert find_login("reg.corp", "models", environment) == Login("you", "pw")
    environment["REGISTRY_AUTH_FILE"] = str(logins(tmp_path / "own.json", reg_corp=she))
    assert find_login("reg.corp", "models", environment) == Login("she", "pw")
    environment["REGISTRY_AUTH_FILE"] = str(tmp_path / "absent.json")
    assert find_login("reg.corp", "models", environment) == Login("you", "pw")


def test_a_file_of_logins_that_others_can_read_is_refused(tmp_path):
    path = logins(tmp_path / "own.json", reg_corp="bWU6cHc=")
    path.chmod(0o644)
    with pytest.raises(LocalError, match=r"the file of logins .*own\.json.* mode 0644"):
        find_login("reg.corp", "models", {"REGISTRY_AUTH_FILE": str(path), "DOCKER_CONFIG": str(tmp_path)})
