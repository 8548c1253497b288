"""`sealift-pipeline publish` and `champion`, and `sealift push --model-registry`, against GitLab's routes."""

import hashlib
import json
import socket

import pytest
from support.gitlab.model_registry import JOB, NARROW, OUTSIDER, READS, WRITES, Fault, Handler, model_registry
from support.release.channel_simulator import renamed, toy_files

from sealift_pipeline.cli import command

RUN = {
    "format": 1,
    "params": {"C": 0.5, "solver": "lbfgs"},
    "gate": {"overall": {"lower": 0.75}, "slices": []},
    "search": {"metric": "f1", "seed": 7},
}


@pytest.fixture
def gitlab(monkeypatch):
    for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI", "CI_JOB_TOKEN", "GITLAB_DEPLOY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITLAB_TOKEN", WRITES)
    monkeypatch.setattr("sealift.registry.session.time.sleep", lambda _seconds: None)
    with model_registry() as server:
        yield server


@pytest.fixture
def toy(channel):
    files = {
        **renamed(toy_files(), "toy", "1.0.0"),
        "CARD.md": b"# Toy\n\nSorts.\n",
        "run.json": json.dumps(RUN).encode(),
    }
    return channel.add("toy", "1.0.0", files)


@pytest.fixture
def publish(call, channel, gitlab):
    def publish(*options, name="toy", version="1.0.0", registry=gitlab.address):
        return call(command, "publish", name, version, "--channel", channel.directory, "--registry", registry, *options)

    return publish


def changes(gitlab):
    return [path for method, path, _, _ in gitlab.asked if method != "GET"]


def test_a_version_goes_up_with_its_card_digest_figures_and_files(publish, channel, gitlab, toy):
    digest = channel.channel.staged()[toy].digest
    status, out, err = publish()
    assert (status, err) == (0, "")
    assert out.startswith(f"toy 1.0.0 published: {digest} in {gitlab.address}\nsent 7 files (")
    one = gitlab.models.version("toy", "1.0.0")
    assert one["description"] == "# Toy\n\nSorts.\n"
    assert one["tags"] == {
        "gitlab.version": "1.0.0",
        "sealift.channel": "sim",
        "sealift.digest": digest,
        "sealift.licenses": "MIT",
        "sealift.state": "staged",
    }
    assert one["run"].params["train.C"] == "0.5"
    metrics = {entry["key"]: entry["value"] for entry in one["run"].metrics}
    assert (metrics["gate.lower"], metrics["proof.labels_wrong"]) == (0.75, 0.0)
    files = one["run"].files
    assert set(files) == {*toy_files(), "CARD.md", "run.json", "sealift.manifest.json", "sealift.config.json"}
    assert "sha256:" + hashlib.sha256(files["sealift.manifest.json"]).hexdigest() == digest
    config = json.loads(files["sealift.config.json"])
    shipped = sorted(set(files) - {"sealift.manifest.json", "sealift.config.json"})
    assert ["sha256:" + hashlib.sha256(files[name]).hexdigest() for name in shipped] == config["modelfs"]["diffIds"]


def test_again_it_is_unchanged_and_nothing_is_sent(publish, gitlab, channel, toy):
    publish()
    gitlab.asked.clear()
    assert publish()[1].startswith("toy 1.0.0 is unchanged: sha256:")
    # Released, it has the same digest.
    channel.release()
    status, out, _ = publish("--json")
    assert (status, json.loads(out)["outcome"]) == (0, "unchanged")
    assert changes(gitlab) == []


def test_a_dry_run_sends_nothing(publish, gitlab, toy):
    status, out, _ = publish("--dry-run")
    assert status == 0
    assert out.startswith("toy 1.0.0 would be published: sha256:")
    assert "would send 7 files" in out
    assert changes(gitlab) == []
    publish()
    gitlab.models.version("toy", "1.0.0")["run"].files.pop("CARD.md")
    gitlab.asked.clear()
    assert publish("--dry-run")[1].startswith("toy 1.0.0 would be completed: ")
    assert json.loads(publish("--dry-run", "--json")[1])["sent"] == ["CARD.md"]
    assert changes(gitlab) == []


@pytest.mark.parametrize("part", ["create_version", "log", "second file", "last file"])
def test_cut_off_anywhere_the_same_command_sends_the_rest(publish, gitlab, toy, part):
    faults = {
        "create_version": Fault("POST", "model-versions/create", 403),
        "log": Fault("POST", "runs/log-batch", 403),
        "second file": Fault("PUT", "golden.json", 403),
        "last file": Fault("PUT", "sealift.manifest.json", 403),
    }
    gitlab.faults.append(faults[part])
    assert publish()[0] == 74
    gitlab.faults.clear()
    status, out, _ = publish("--json")
    assert (status, json.loads(out)["outcome"]) == (0, "published" if part == "create_version" else "completed")
    assert len(gitlab.models.version("toy", "1.0.0")["run"].files) == 7
    assert publish()[1].startswith("toy 1.0.0 is unchanged")
    # No figure stands twice.
    keys = [entry["key"] for entry in gitlab.models.version("toy", "1.0.0")["run"].metrics]
    assert len(keys) == len(set(keys)) > 3


def test_two_at_once_make_one_version(publish, gitlab, toy, channel):
    """The other one came between our look and our call."""
    publish()
    gone = gitlab.models.models["toy"]["versions"]
    gitlab.faults.append(Fault("GET", "model-versions/get", 404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}', times=1))
    status, out, _ = publish("--json")
    assert (status, json.loads(out)["outcome"], len(gone)) == (0, "published", 1)


def test_other_bytes_under_the_same_version_are_refused(publish, gitlab, channel, toy):
    publish()
    gitlab.asked.clear()
    channel.add("toy", "1.0.0")
    status, out, err = publish()
    assert (status, out) == (74, "")
    assert "has a toy 1.0.0 with the digest sha256:" in err
    assert "a version never changes" in err
    assert changes(gitlab) == []
    gitlab.models.create_model("hand")
    gitlab.models.create_version("hand", tags=[{"key": "gitlab.version", "value": "1.0.0"}])
    channel.add("hand", "1.0.0")
    status, _, err = publish(name="hand")
    assert (status, "that Sealift did not publish" in err) == (74, True)


def test_a_file_of_another_length_in_the_registry_is_told(publish, gitlab, toy):
    publish()
    gitlab.models.version("toy", "1.0.0")["run"].files["model.onnx"] += b"more"
    status, _, err = publish()
    assert (status, "somebody changed it there" in err) == (74, True)


def test_a_file_of_other_bytes_and_the_same_length_in_the_registry_is_told(publish, gitlab, toy):
    publish()
    files = gitlab.models.version("toy", "1.0.0")["run"].files
    files["model.onnx"] = files["model.onnx"][:-1] + bytes([files["model.onnx"][-1] ^ 1])
    gitlab.asked.clear()
    status, _, err = publish()
    assert status == 74
    assert "has 'model.onnx' of toy 1.0.0 with the digest sha256:" in err
    assert "somebody changed it there" in err
    assert changes(gitlab) == []


def test_a_gitlab_that_computed_no_digests_is_compared_by_length(publish, gitlab, toy, monkeypatch):
    publish()
    monkeypatch.setattr(
        Handler, "package_files", lambda *_: [{"id": 1, "file_name": "model.onnx", "file_sha256": None}]
    )
    assert publish()[1].startswith("toy 1.0.0 is unchanged")
    monkeypatch.setattr(Handler, "packages", lambda *_: {"message": "odd"})
    status, _, err = publish()
    assert (status, "something other than a list" in err) == (74, True)


def test_a_damaged_blob_is_not_sent_to_its_end(publish, gitlab, channel, toy):
    manifest = json.loads((channel.channel.blobs_dir / channel.channel.staged()[toy].hex).read_bytes())
    (layer,) = [one for one in manifest["layers"] if one["annotations"]["org.cncf.model.filepath"] == "model.onnx"]
    path = channel.channel.blobs_dir / layer["digest"].removeprefix("sha256:")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    status, _, err = publish()
    assert (status, "Traceback" in err) == (26, False), err
    assert "model.onnx" not in gitlab.models.version("toy", "1.0.0")["run"].files


def test_long_cards_and_texts_are_cut_to_what_gitlab_takes(publish, gitlab, channel):
    channel.add("toy", "1.0.0", {**renamed(toy_files(), "toy", "1.0.0"), "CARD.md": b"# Toy\n" + b"x" * 20_000})
    assert publish()[0] == 0
    description = gitlab.models.version("toy", "1.0.0")["description"]
    assert len(description) == 10_000
    assert description.endswith("The whole card is the file CARD.md.\n")


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "requires a token; give it with --token-file, or set MLFLOW_TRACKING_TOKEN or GITLAB_TOKEN"),
        (
            "glpat-unknown",
            "refuses the one given (HTTP 401); it needs the scope 'api', and its user the role Developer",
        ),
        (READS, "refuses the one given (HTTP 401); it needs the scope 'api', and its user the role Developer"),
        (JOB, "refuses the one given (HTTP 401)"),
        (NARROW, "HTTP 403 'insufficient_scope'"),
        (OUTSIDER, "HTTP 404 '404 Project Not Found'"),
        ("glpat bad\n", "a character that no token has"),
    ],
    ids=["none", "unknown", "reads", "job", "narrow", "outsider", "broken"],
)
def test_a_token_that_is_refused_is_not_shown(publish, gitlab, toy, monkeypatch, token, said):
    monkeypatch.setenv("GITLAB_TOKEN", token)
    status, out, err = publish()
    assert (status, out, len(err.splitlines())) == (74, "", 1)
    assert said in err
    assert not token or token.strip() not in err
    assert gitlab.models.models == {}


def test_a_token_in_a_file(publish, gitlab, toy, monkeypatch, tmp_path):
    monkeypatch.delenv("GITLAB_TOKEN")
    path = tmp_path / "token"
    path.write_text(WRITES + "\n")
    path.chmod(0o644)
    status, _, err = publish("--token-file", path)
    assert (status, "others may read it" in err) == (74, True)
    path.chmod(0o600)
    assert publish("--token-file", path)[0] == 0
    assert publish("--token-file", tmp_path / "absent")[0] == 74
    (tmp_path / "empty").touch(0o600)
    assert "is empty" in publish("--token-file", tmp_path / "empty")[2]


@pytest.mark.parametrize(
    ("method", "part", "status", "body", "said"),
    [
        ("GET", "model-versions/get", 403, b"{}", "HTTP 403"),
        ("POST", "registered-models/create", 404, b"{}", "HTTP 404"),
        (
            "POST",
            "model-versions/create",
            409,
            b'{"message": "409 Conflict"}',
            "HTTP 409 '409 Conflict'; somebody else",
        ),
        ("PUT", "model.onnx", 413, b"<html>too large</html>", "HTTP 413; something between here and the registry"),
        ("PUT", "model.onnx", 400, b'{"message": "400 Bad request - Artifact file is too large"}', "file is too large"),
        ("POST", "model-versions/create", 429, b"Retry later\n", "after 8 tries: HTTP 429"),
        ("POST", "runs/log-batch", 502, b"<html>", "after 8 tries: HTTP 502"),
        ("GET", "runs/get", 200, b"<html>", "answers with something other than a JSON object"),
        ("GET", "runs/get", 200, b'{"run": {"info": {}, "data": {}}}', "something other than a run"),
        ("GET", "runs/get", 200, b'{"run": ' * 5000, "something other than a JSON object"),
        ("POST", "model-versions/create", 200, b'{"model_version": null}', "other than a model version"),
        (
            "POST",
            "model-versions/create",
            200,
            b'{"model_version": {"version": "../.."}}',
            "other than a model version",
        ),
    ],
)
def test_what_the_registry_refuses_is_told_in_one_line(publish, gitlab, toy, method, part, status, body, said):
    gitlab.faults.append(Fault(method, part, status, body))
    code, out, err = publish()
    assert (code, out) == (74, "")
    # Further tries are told as well.
    assert said in err.splitlines()[-1]


def test_a_refused_connection_fails_at_once(publish, toy):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status, _, err = publish(registry=f"gitlab://127.0.0.1:{port}/a%2Fb")
    assert status == 74
    assert "no connection to" in err


def test_the_token_goes_to_no_other_host(publish, gitlab, toy):
    """A run that names another place for its files, or a route that is moved."""
    elsewhere = b'{"run": {"info": {"artifact_uri": "https://evil.example/x/"}, "data": {}}}'
    gitlab.faults.append(Fault("GET", "runs/get", 200, elsewhere))
    status, _, err = publish()
    assert (status, "wants files at 'https://evil.example/x/'" in err) == (74, True)
    gitlab.faults[:] = [Fault("GET", "model-versions/get", 302, b"", {"Location": "http://localhost:1/x"})]
    status, _, err = publish()
    assert (status, "no connection to" in err) == (74, True)
    assert WRITES not in err


def test_what_the_channel_does_not_have(publish, gitlab, channel, toy):
    assert publish(version="2.0.0")[::2] == (
        55,
        "sealift-pipeline: toy 2.0.0 is neither released nor staged; versions: 1.0.0 [channel]\n",
    )
    assert "no model of that name" in publish(name="other")[2]
    channel.release()
    channel.withdraw(toy)
    assert "was withdrawn" in publish()[2]
    assert publish(registry="https://mlflow.example/")[0] == 55
    assert gitlab.asked == []


def test_a_plain_server_takes_no_versions(publish, gitlab, toy):
    status, _, err = publish(registry=f"{gitlab.url}/")
    assert (status, "is not a project of GitLab" in err) == (74, True)


def test_the_champion(publish, call, gitlab, toy, channel):
    publish()
    status, out, _ = call(command, "champion", "toy", "--registry", gitlab.address, "--json")
    found = json.loads(out)
    assert (status, found["version"], found["digest"]) == (0, "1.0.0", channel.channel.staged()[toy].digest)
    assert (found["metrics"]["gate.lower"], found["params"]["train.C"]) == (0.75, "0.5")
    assert "gate.lower" in call(command, "champion", "toy", "1.0.0", "--registry", gitlab.address)[1]
    status, _, err = call(command, "champion", "toy", "3.0.0", "--registry", gitlab.address)
    assert (status, "has no version 3.0.0 of model 'toy'" in err) == (74, True)


def test_push_puts_every_version_of_a_bundle_into_the_registry(sealift_command, gitlab, channel, tmp_path, monkeypatch):
    channel.add("toy", "1.0.0")
    channel.add("other", "2.1.0")
    channel.release()
    bundle = channel.pack(tmp_path / "b.tar")
    packages = []
    monkeypatch.setattr("sealift.publish.package.open_project", lambda *_: packages_of(packages))
    status, out, err = sealift_command("push", bundle, gitlab.address, "--model-registry")
    assert (status, err) == (0, "")
    released = channel.channel.released()
    for model, blob in released.items():
        assert f"{model} published in the model registry: {blob.digest}" in out
        one = gitlab.models.version(model.name, str(model.version))
        assert (one["tags"]["sealift.release"], one["tags"]["sealift.digest"]) == ("2", blob.digest)
        assert one["run"].files["CARD.md"] == f"# {model}\n".encode()
    status, out, _ = sealift_command("push", bundle, gitlab.address, "--model-registry", "--json")
    assert [one["outcome"] for one in json.loads(out)["models"]] == ["unchanged", "unchanged"]
    assert len(packages) == 2
    # The same versions from the channel: one way for both.
    monkeypatch.setattr("sealift.publish.package.open_project", None)
    assert sealift_command("push", bundle, "oci://127.0.0.1:1/x", "--model-registry")[0] == 2


class packages_of:  # noqa: N801 - stands for a function
    """The project's generic packages, which test_gitlab_packages looks at."""

    def __init__(self, put):
        self.sent = put

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def has(self, *_):
        return False

    def put(self, package, number, file, size, progress):
        self.sent.append((package, number))
