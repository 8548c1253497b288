"""A registry of models that lies: other bytes, unsafe names, sizes without end, redirects, and slowness."""

import threading

import pytest
from support.gitlab.model_registry import WRITES, Fault, model_registry
from support.gitlab.trained import digest_of, model_bytes, register

from sealift.errors import DigestError, LimitError, LocalError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.models.place import RegistryPlace
from sealift_bundler.errors import SourceError
from sealift_bundler.source.registered import RegisteredSource, fetched
from sealift_common.errors import Error

FILES = {"model.joblib": b"\x80\x04N." * 100, "sub/a.txt": b"a"}


@pytest.fixture
def gitlab(monkeypatch, tmp_path):
    monkeypatch.setenv("GITLAB_TOKEN", WRITES)
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.setattr("sealift.registry.session.time.sleep", lambda _seconds: None)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    with model_registry() as server:
        register(server, FILES)
        yield server


@pytest.fixture
def fetch(gitlab, tmp_path):
    def fetch(digest=None):
        place = RegistryPlace.parse(gitlab.address)
        source = RegisteredSource(place, "triage-src", "3.1.0", digest or digest_of(FILES))
        with fetched(source, Access()) as path:
            return path.name, path.read_bytes()

    yield fetch
    # Whatever happened: nothing stays, and nothing was written beside the folder.
    assert sorted(path.name for path in tmp_path.rglob("*") if "channel" not in str(path)) == ["scratch"]


def test_what_is_pinned_is_fetched(fetch):
    assert fetch() == ("model.joblib", FILES["model.joblib"])


def test_other_bytes_than_pinned_are_never_opened(fetch, gitlab):
    files = gitlab.models.version("triage-src", "3.1.0")["run"].files
    files["model.joblib"] = b"\x80\x04N!" * 100
    with pytest.raises(DigestError, match="somebody changed the version"):
        fetch()
    files["model.joblib"] = FILES["model.joblib"]
    files["more.txt"] = b""
    with pytest.raises(DigestError):
        fetch()
    del files["more.txt"], files["sub%2Fa.txt"]
    with pytest.raises(DigestError):
        fetch()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../x",
            "..",
            "a/../../x",
            "/etc/passwd",
            "..%2Fx",
            "%2e%2e/x",
            "a//b",
            "",
            ".",
            "a/./b",
            "a\\..\\b",
            "x\x00y",
        ),
        *("C:x", "con", "a b", "é", "-rf", ".hidden", "a/" * 9 + "b", "x" * 300, "line\nbreak", "\x1b[2J"),
    ],
)
def test_a_name_that_could_leave_its_folder_is_refused(fetch, gitlab, path):
    gitlab.listed = [{"path": path, "file_size": 3, "is_dir": False}]
    with pytest.raises(LocalError, match=r"could leave its folder") as refused:
        fetch()
    assert str(refused.value).isprintable()
    assert not any("/artifacts/" in path for _, path, _, _ in gitlab.asked)


@pytest.mark.parametrize("paths", [("a.txt", "A.TXT"), ("a.txt", "a.txt")])
def test_two_names_that_are_one_on_some_file_systems(fetch, gitlab, paths):
    gitlab.listed = [{"path": path, "file_size": 1, "is_dir": False} for path in paths]
    with pytest.raises(LocalError, match="twice"):
        fetch()


def test_a_file_that_is_a_folder_too(fetch, gitlab):
    files = gitlab.models.version("triage-src", "3.1.0")["run"].files
    files["sub"] = b"file"
    with pytest.raises(LocalError, match="cannot write"):
        fetch()


@pytest.mark.parametrize(
    ("listed", "error", "said"),
    [
        ([{"path": "m.onnx", "file_size": 2**50, "is_dir": False}], SourceError, "expected at most"),
        ([{"path": f"{n}", "file_size": 2**31, "is_dir": False} for n in range(5)], SourceError, "expected at most"),
        ([{"path": f"{n}", "file_size": 0, "is_dir": False} for n in range(1025)], LocalError, "more than 1,024"),
        ([{"path": "d", "is_dir": True}], DigestError, "somebody changed"),
        ([{"path": "m.onnx", "file_size": -1, "is_dir": False}], LocalError, "with their lengths"),
        ([{"path": "m.onnx", "file_size": True, "is_dir": False}], LocalError, "with their lengths"),
        ([{"path": "m.onnx", "file_size": "9" * 400, "is_dir": False}], LocalError, "with their lengths"),
        ([{"path": "m.onnx", "file_size": "²", "is_dir": False}], LocalError, "with their lengths"),
        ([[]], LocalError, "a list"),
        ({"path": "x"}, LocalError, "a list"),
        ("x", LocalError, "a list"),
    ],
)
def test_a_list_that_claims_too_much_costs_little(fetch, gitlab, listed, error, said):
    gitlab.listed = listed
    with pytest.raises(error, match=said):
        fetch()
    assert len(gitlab.asked) < 1_100


@pytest.mark.parametrize("size", [399, 401, 0])
def test_a_file_longer_or_shorter_than_listed(fetch, gitlab, size):
    gitlab.listed = [{"path": "model.joblib", "file_size": size, "is_dir": False}]
    with pytest.raises(LocalError, match="than its"):
        fetch()


def test_a_list_of_many_megabytes(fetch, gitlab):
    gitlab.faults.append(Fault("GET", "mlflow-artifacts/artifacts", 200, b'{"files": [' + b" " * 2_000_000 + b"]}"))
    with pytest.raises(LocalError, match="more than 1,048,576 bytes"):
        fetch()


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/x",
        "file:///etc",
        "mlflow-artifacts:/../../x",
        "mlflow-artifacts:/a/%2e%2e",
        "https://evil/x",
        "",
        None,
    ],
)
def test_files_that_the_server_itself_does_not_give(fetch, gitlab, uri):
    import json

    gitlab.faults.append(Fault("GET", "get-download-uri", 200, json.dumps({"artifact_uri": uri}).encode()))
    with pytest.raises(LocalError, match="expected an address of the server itself"):
        fetch()


def test_a_redirect_gets_no_login_and_leads_to_no_loop(fetch, gitlab):
    with model_registry() as other:
        location = f"http://localhost:{other.server_address[1]}/storage/x"
        other.stored["/storage/x"] = FILES["model.joblib"]
        gitlab.faults.append(Fault("GET", "artifacts/731/model.joblib", 302, b"", {"Location": location}))
        assert fetch()[0] == "model.joblib"
        ((_, path, headers, _),) = other.asked
        assert path == "/storage/x"
        assert "Authorization" not in headers
        assert WRITES not in str(headers)
    gitlab.faults[:] = [Fault("GET", "artifacts/731/model.joblib", 302, b"", {"Location": "/api/v4/projects/7/x"})]
    gitlab.faults.append(Fault("GET", "/x", 302, b"", {"Location": "/api/v4/projects/7/x"}))
    with pytest.raises(LocalError, match="redirects more than"):
        fetch()
    for bad in ("file:///etc/passwd", "ftp://x/", "http://[::", "http://evil.example/x"):
        gitlab.faults[:] = [Fault("GET", "artifacts/731/model.joblib", 302, b"", {"Location": bad})]
        with pytest.raises(LocalError):
            fetch()


def test_a_slow_server_is_left(fetch, gitlab, monkeypatch):
    for module in ("session", "pacing", "transport"):
        monkeypatch.setattr(f"sealift.registry.{module}.LIMITS", LIMITS._replace(http_timeout_s=0.3, http_attempts=2))
    stop = threading.Event()

    def drip(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "400")
        handler.end_headers()
        while not stop.wait(0.1):
            handler.wfile.write(b"x")

    gitlab.faults.append(Fault("GET", "artifacts/731/model.joblib", 200, drip))
    try:
        with pytest.raises(LocalError, match=r"too slow|timed out|after 2 tries"):
            fetch()
    finally:
        stop.set()


def test_answers_that_are_anything(fetch, gitlab):
    """Every answer, replaced by each of these: an error of ours, in one line."""
    bodies = [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"model_version": {}}',
        b"\xff\xfe",
        b'{"a":' * 200,
        b'{"a": 1, "a": 2}',
        b"1e999",
    ]
    bodies += [b'{"model_version": {"version": "7", "run_id": "\\u001b[2J", "tags": [{"key": 1}]}}']
    for part in ("model-versions/get?", "get-download-uri", "mlflow-artifacts/artifacts"):
        for body in bodies:
            gitlab.faults[:] = [Fault("GET", part.rstrip("?"), 200, body)]
            with pytest.raises(Error) as refused:
                fetch()
            assert str(refused.value).isprintable()
            assert not isinstance(refused.value, LimitError)


def test_a_pickle_of_other_bytes_is_not_opened(gitlab, tmp_path, call, channel, monkeypatch):
    """Through the whole of `add`: nothing staged, nothing opened."""
    from support.gitlab.trained import write_recipe

    from sealift_bundler.cli import command

    data = model_bytes()
    gitlab.models.version("triage-src", "3.1.0")["run"].files.clear()
    gitlab.models.version("triage-src", "3.1.0")["run"].files["model.joblib"] = data + b"."
    recipe = write_recipe(tmp_path, gitlab.address, digest_of({"model.joblib": data}))
    monkeypatch.setattr("sealift_bundler.convert", None)
    status, out, err = call(command, "add", recipe, "--channel", channel.directory)
    assert (status, out, len(err.splitlines())) == (26, "", 1)
    assert channel.channel.staged() == {}
    assert list(channel.channel.blobs_dir.iterdir()) == []
