"""Logins and certificates: TLS from a private CA, htpasswd, tokens, credential helpers, as Docker keeps them."""

import base64
import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.hostile.registry import hostile_registry
from support.release.command_line import in_process
from support.servers.registry_server import docker_registry, password_file, private_ca

from sealift.cli import cli
from sealift.limits import LIMITS
from sealift.registry import session
from sealift.registry.access import Access
from sealift.registry.address import parse
from sealift.registry.credentials import Login, find_login
from sealift.registry.repository import open_repository

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return private_ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def docker_config(tmp_path):
    folder = tmp_path / "docker"
    folder.mkdir()

    def write(document):
        (folder / "config.json").write_text(json.dumps(document))
        (folder / "config.json").chmod(0o600)
        return folder

    return write


@pytest.fixture
def bundle(channel, instance, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    return channel.pack(tmp_path / "first.tar")


def run(instance, *arguments, status=0, **environment):
    given = {"DOCKER_CONFIG": "/nonexistent", **{name: str(value) for name, value in environment.items()}}
    done = in_process(cli, *arguments, environment={**instance.environment, **given})
    assert done.returncode == status, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    return done


def encoded(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_tls_of_a_private_ca_and_htpasswd(bundle, ca, docker_config, instance, tmp_path):
    passwords = password_file(tmp_path / "htpasswd", "ann", "s3cret")
    certificate = (ca / "server.pem", ca / "server.key")
    with docker_registry(tmp_path / "registry", certificate=certificate, htpasswd=passwords) as server:
        address = f"oci://{server.host}/models"
        right = docker_config({"auths": {server.host: {"auth": encoded("ann", "s3cret")}}})
        untrusted = run(instance, "push", bundle, address, status=3, DOCKER_CONFIG=right)
        assert "is not trusted here" in untrusted.stderr
        assert "--ca-file" in untrusted.stderr
        asked = run(instance, "push", bundle, address, "--ca-file", ca / "ca.pem", status=3).stderr
        # Docker keeps logins by host and port.
        assert f"`docker login {address.split('/')[2]}`" in asked
        run(instance, "push", bundle, address, "--ca-file", ca / "ca.pem", DOCKER_CONFIG=right)
        run(instance, "install", address, DOCKER_CONFIG=right, SSL_CERT_FILE=ca / "ca.pem")
        wrong = docker_config({"auths": {server.host: {"auth": encoded("ann", "wrong")}}})
        refused = run(instance, "verify", address, DOCKER_CONFIG=wrong, SEALIFT_CA_FILE=ca / "ca.pem", status=3)
        assert "HTTP 401" in refused.stderr
        other = run(instance, "verify", address, "--ca-file", ca / "server.key", status=3)
        assert "holds no certificate in PEM form" in other.stderr
        # Who installs from a file needs no CA, whatever the environment says.
        missing = {"SEALIFT_CA_FILE": tmp_path / "none.pem"}
        assert "cannot be read" in run(instance, "verify", address, status=3, **missing).stderr
        run(instance, "verify", bundle, **missing)


def test_a_registry_without_tls_where_a_ca_is_named(ca, instance):
    with hostile_registry() as registry:
        done = run(instance, "inspect", f"oci://{registry.host}/models", "--ca-file", ca / "ca.pem", status=3)
        assert "does not speak TLS; if that is meant, use --plain-http" in done.stderr


class TokenServer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization", "")))
        self.answer(self.headers.get("Authorization") == "Basic " + encoded("ann", "s3cret"))

    def do_POST(self):
        form = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, form))
        self.answer("refresh_token=identity" in form)

    def answer(self, good):
        busy = self.server.before()
        body = json.dumps({"token": "good"} if good else {"errors": []}).encode()
        self.send_response(busy or (200 if good else 401))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def token_registry():
    """A registry that wants a token of another server."""
    with hostile_registry() as registry, ThreadingHTTPServer(("127.0.0.1", 0), TokenServer) as tokens:
        tokens.asked = []
        tokens.before = lambda: None
        thread = threading.Thread(target=tokens.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        realm = f"http://127.0.0.1:{tokens.server_address[1]}/token"

        def lie(handler):
            if handler.headers.get("Authorization") == "Bearer good":
                return None
            handler.say(401, WWW_Authenticate=f'Bearer realm="{realm}",service="the registry"')
            handler.close_connection = True
            return True

        registry.lie = lie
        try:
            yield registry, tokens
        finally:
            tokens.shutdown()
            thread.join()


@pytest.mark.parametrize("entry", [{"auth": encoded("ann", "s3cret")}, {"identitytoken": "identity"}])
def test_a_token(entry, bundle, docker_config, instance):
    with token_registry() as (registry, tokens):
        config = docker_config({"auths": {registry.host: entry}})
        run(instance, "push", bundle, f"oci://{registry.host}/models", DOCKER_CONFIG=config)
        run(instance, "install", f"oci://{registry.host}/models", DOCKER_CONFIG=config)
        said = "".join(map("".join, tokens.asked))
        assert "repository%3Amodels%3Apull%2Cpush" in said
        assert "service=the+registry" in said
        refused = run(instance, "verify", f"oci://{registry.host}/models", status=3)
        assert "refuses a request without login" in refused.stderr


def test_a_busy_token_server_is_asked_again(docker_config, monkeypatch):
    monkeypatch.setattr(session, "LIMITS", LIMITS._replace(http_backoff_s=0.0))
    with token_registry() as (registry, tokens):
        registry.manifests["latest"] = b"{}"
        monkeypatch.setenv(
            "DOCKER_CONFIG", str(docker_config({"auths": {registry.host: {"identitytoken": "identity"}}}))
        )
        statuses = [503, 429]
        tokens.before = lambda: statuses.pop() if statuses else None
        with open_repository(parse(f"oci://{registry.host}/models"), Access(), "pull") as repository:
            assert repository.manifest("latest") == b"{}"
        assert len(tokens.asked) == 3


HELPER = """#!/bin/sh
test "$1" = get || exit 2
read -r server
case $server in
    known) echo '{"ServerURL": "known", "Username": "ann", "Secret": "s3cret"}';;
    token) echo '{"ServerURL": "token", "Username": "<token>", "Secret": "identity"}';;
    bad) echo hello;;
    locked) echo 'the keychain is locked'; exit 1;;
    environment) echo "{\\"Username\\": \\"$HELPER_LOGIN\\", \\"Secret\\": \\"${SEALIFT_PASSPHRASE-none}\\"}";;
    *) echo 'credentials not found in native keychain'; exit 1;;
esac
"""


@pytest.fixture
def helper(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-mine"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def find(folder: Path, host: str, repository: str = "a/b"):
    return find_login(host, repository, {"DOCKER_CONFIG": str(folder)})


def test_credential_helpers(helper, docker_config, monkeypatch):
    from sealift.errors import LocalError

    config = docker_config({"credsStore": "mine", "auths": {"unknown": {"auth": encoded("bob", "x")}}})
    assert find(config, "known") == Login("ann", "s3cret")
    assert find(config, "token") == Login(identity_token="identity")
    assert find(config, "unknown") == Login("bob", "x")
    assert find(config, "nobody") is None
    monkeypatch.setenv("HELPER_LOGIN", "ann")
    monkeypatch.setenv("SEALIFT_PASSPHRASE", "ours")
    assert find(config, "environment") == Login("ann", "none")
    for host, match in (("bad", "something other than"), ("locked", "keychain is locked")):
        with pytest.raises(LocalError, match=match):
            find(config, host)
    config = docker_config({"credHelpers": {"one": "missing", "two": "../x"}})
    with pytest.raises(LocalError, match="not installed"):
        find(config, "one")
    with pytest.raises(LocalError, match="no usable name"):
        find(config, "two")
    assert find(config, "known") is None


@pytest.mark.parametrize(
    ("program", "mode", "match"),
    [
        ("#!/bin/sh\n", 0o644, "cannot be run"),
        ("no program", 0o755, "cannot be run"),
        ("""#!/bin/sh\necho '{"Username": "ann", "Secret": null}'\n""", 0o755, "something other than"),
        ("""#!/bin/sh\necho '{"Username": "ann", "Secret": "s3cret\\ud800"}'\n""", 0o755, "something other than"),
        ("#!/bin/sh\nhead -c 200000 /dev/zero | tr '\\0' '['\n", 0o755, "something other than"),
        ("""#!/bin/sh\necho '{"Username": "ann", "Secret": "s3cret"}'\nexit 1\n""", 0o755, "failed for 'known'"),
    ],
    ids=["not executable", "not a program", "null", "surrogate", "deep", "fails with a secret"],
)
def test_a_damaged_helper(program, mode, match, helper, docker_config, tmp_path):
    from sealift.errors import LocalError

    path = tmp_path / "bin" / "docker-credential-mine"
    path.write_text(program)
    path.chmod(mode)
    with pytest.raises(LocalError, match=match) as caught:
        find(docker_config({"credsStore": "mine"}), "known")
    assert "s3cret" not in str(caught.value)


def test_the_longest_path_wins(docker_config):
    auths = {"host": {"auth": encoded("all", "1")}, "host/a": {"auth": encoded("group", "2")}}
    config = docker_config({"auths": auths})
    assert find(config, "host", "a/b").user == "group"
    assert find(config, "host", "c/b").user == "all"
    assert find(docker_config({"auths": {"https://host": {"auth": encoded("url", "3")}}}), "host").user == "url"


@pytest.mark.parametrize(
    "text", ["{", "[" * 1000, '{"auths": {"host": {"auth": "%"}}}', '{"auths": {"host": {"auth": "YQ=="}}}']
)
def test_a_damaged_configuration(text, tmp_path):
    from sealift.errors import LocalError

    (tmp_path / "config.json").write_text(text)
    (tmp_path / "config.json").chmod(0o600)
    with pytest.raises(LocalError):
        find(tmp_path, "host")


def test_secrets_are_not_shown():
    assert "s3cret" not in repr(Login("ann", "s3cret", "s3cret"))
