"""deploy/helm: every command of the chart runs, in containers without an engine."""

import base64
import json
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from textwrap import dedent

import pytest
import yaml
from support.machine import containers
from support.machine.containers import DOCKERFILE, Volume
from support.pages import chart
from support.servers.registry_server import docker_registry, password_file, private_ca

pytestmark = pytest.mark.slow


@pytest.fixture
def bundle(channel, tmp_path):
    folder = tmp_path / "bundles"
    folder.mkdir()
    channel.add("toy", "1.0.0")
    channel.release()
    path = channel.pack(folder / "gitlab-models-2.tar")
    path.chmod(0o644)
    return path


def values(channel, bundle):
    return {"root": channel.root_bytes.decode(), "bundle": bundle.name, "model": "toy"}


def pod(rendered):
    return rendered["Deployment"]["spec"]["template"]["spec"]


def volume_directories(rendered, tmp_path, bundle):
    """What a kubelet makes of the pod's volumes, with the modes that it gives them."""
    found = {}
    for volume in pod(rendered)["volumes"]:
        name = volume["name"]
        if "configMap" in volume:
            assert volume["configMap"]["name"] == rendered["ConfigMap"]["metadata"]["name"]
            # A link to a folder of links, so that all files change at once.
            found[name] = tmp_path / name
            (found[name] / "..2026").mkdir(parents=True)
            (found[name] / "..data").symlink_to("..2026")
            for file, text in rendered["ConfigMap"]["data"].items():
                (found[name] / "..2026" / file).write_text(text, "utf-8")
                (found[name] / file).symlink_to(f"..data/{file}")
        elif "secret" in volume:
            found[name] = tmp_path / volume["secret"]["secretName"]
        elif "emptyDir" in volume:
            found[name] = tmp_path / "volumes" / name
            found[name].mkdir(parents=True)
            found[name].chmod(0o777)
        elif name == "store":
            # With `fsGroup`, the root of a claim's volume is given to the group.
            found[name] = tmp_path / name
            found[name].mkdir(exist_ok=True)
            os.chown(found[name], 0, pod(rendered)["securityContext"]["fsGroup"])
            found[name].chmod(0o2775)
        else:
            assert volume["persistentVolumeClaim"]["readOnly"]
            found[name] = bundle.parent
    return found


def run_container(rendered, container, directories, **more):
    """Do what the container's description says, or fail where it says less than a hardened pod needs."""
    everywhere, here = pod(rendered)["securityContext"], container["securityContext"]
    assert everywhere["runAsNonRoot"]
    assert everywhere["seccompProfile"] == {"type": "RuntimeDefault"}
    assert here == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    image = containers.stages()[container["image"].partition(":")[0].removeprefix("sealift-")]
    volumes = [
        Volume(directories[mount["name"]] / mount.get("subPath", ""), mount["mountPath"], mount.get("readOnly", False))
        for mount in container["volumeMounts"]
    ]
    given = {item["name"]: item["value"] for item in container.get("env", [])}
    files = {"/app/application.py": DOCKERFILE.parent / "application.py"}
    command = container.get("command", [*image.entrypoint, *image.arguments])
    if "workingDir" in container:
        command = ["env", "--chdir", container["workingDir"], *command]
    return containers.start(
        command,
        volumes,
        user=f"{everywhere['runAsUser']}:{everywhere['runAsGroup']}",
        environment={**image.environment, **given, **more.pop("environment", {})},
        files=files,
        **more,
    )


def initialize(rendered, directories, network=()):
    """Run the init containers in their order, until one fails; its name, status and output."""
    said = []
    for container in pod(rendered)["initContainers"]:
        process = run_container(rendered, container, directories, network=container["name"] in network)
        output, errors = process.communicate(timeout=300)
        said.append((container["name"], process.returncode, output + errors))
        if process.returncode:
            break
    return said


@contextmanager
def serving(rendered, directories):
    (container,) = pod(rendered)["containers"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = run_container(rendered, container, directories, network=True, environment={"PORT": str(port)})
    probe = container["readinessProbe"]["httpGet"]["path"]
    try:
        while True:
            try:
                ask(f"http://127.0.0.1:{port}{probe}")
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def ask(url, rows=None):
    data = None if rows is None else json.dumps(rows).encode()
    with urllib.request.urlopen(url, data, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def test_a_pod_installs_checks_and_serves(channel, bundle, tmp_path):
    rendered = chart.render(values(channel, bundle), "demo")
    directories = volume_directories(rendered, tmp_path, bundle)
    said = initialize(rendered, directories)
    assert [(name, status) for name, status, _ in said] == [("place", 0), ("install", 0), ("check", 0)], said
    assert "installed toy 1.0.0" in said[1][2]
    assert "all is as it was signed" in said[2][2]
    with serving(rendered, directories) as url:
        assert ask(f"{url}/healthz")["version"] == "1.0.0"
        assert ask(f"{url}/predict", [[2.0, 2.0, 0.0, 0.0], [-2.0, -2.0, 0.0, 0.0]]) == {"predictions": [1, 0]}
        for wrong in ([[1.0]], "no rows", {"a": 1}, None):
            with pytest.raises(urllib.error.HTTPError) as caught:
                ask(f"{url}/predict", [] if wrong is None else wrong)
            assert caught.value.code == 400
            assert "error" in json.loads(caught.value.read())
    # The pod's containers start again on the same volume.
    again = initialize(rendered, directories)
    assert [status for _, status, _ in again] == [0, 0, 0]


ASK_OVER_THE_SOCKET = """
import http.client, json, os, socket
class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/run/sealift/serve.sock")
connection = Connection("localhost")
rows = {"name": "rows", "datatype": "FP32", "shape": [1, 4], "data": [2, 2, 0, 0]}
connection.request("POST", "/v2/models/toy/infer", json.dumps({"inputs": [rows], "outputs": [{"name": "predict"}]}))
answer = json.loads(connection.getresponse().read())
print(answer["model_version"], answer["outputs"][0]["data"])
try:
    os.unlink("/run/sealift/serve.sock")
except OSError as error:
    print(error.strerror)
"""


def test_a_server_beside_the_application_answers_over_a_socket(channel, bundle, tmp_path):
    """Without a network; the probes see when it is ready, and the application can ask and not replace the socket."""
    server = {"enabled": True, "image": "sealift-server:0.1.0"}
    rendered = chart.render({**values(channel, bundle), "server": server}, "demo")
    directories = volume_directories(rendered, tmp_path, bundle)
    assert [status for _, status, _ in initialize(rendered, directories)] == [0, 0, 0]
    application, serve = pod(rendered)["containers"]

    def probe(kind):
        command = serve[kind]["exec"]["command"]
        return run_container(rendered, {**serve, "command": command}, directories).wait(60)

    assert probe("livenessProbe") == 1
    process = run_container(rendered, serve, directories)
    try:
        ends = time.monotonic() + 60
        while probe("readinessProbe") != 0:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < ends
        assert probe("livenessProbe") == 0
        asking = {**application, "command": ["python", "-c", ASK_OVER_THE_SOCKET]}
        output, errors = run_container(rendered, asking, directories).communicate(timeout=60)
        assert output.splitlines() == ["1.0.0 [1]", "Read-only file system"], errors
    finally:
        process.terminate()
        said, errors = process.communicate(timeout=60)
    assert "listening at /run/sealift/serve.sock" in said, errors


def test_a_pod_without_a_server_has_nothing_of_it(channel, bundle):
    rendered = chart.render(values(channel, bundle), "demo")
    assert [container["name"] for container in pod(rendered)["containers"]] == ["application"]
    assert "run" not in [volume["name"] for volume in pod(rendered)["volumes"]]


def test_a_tampered_bundle_keeps_the_application_from_starting(channel, bundle, tmp_path):
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    bundle.write_bytes(damaged)
    rendered = chart.render(values(channel, bundle), "demo")
    said = initialize(rendered, volume_directories(rendered, tmp_path, bundle))
    assert [(name, status) for name, status, _ in said] == [("place", 0), ("install", 26)], said


def test_a_store_that_was_changed_on_its_volume_keeps_the_application_from_starting(channel, bundle, tmp_path):
    rendered = chart.render(values(channel, bundle), "demo")
    directories = volume_directories(rendered, tmp_path, bundle)
    initialize(rendered, directories)
    model = directories["store"] / "store" / "models" / "toy" / "1.0.0" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    said = initialize(rendered, directories)
    assert [(name, status) for name, status, _ in said] == [("place", 0), ("install", 0), ("check", 33)], said


def test_a_claim_remembers_what_it_has_seen(channel, bundle, tmp_path):
    hardened = {**chart.default_values()["podSecurityContext"], "fsGroup": 10001}
    claim = {"storeVolume": {"persistentVolumeClaim": {"claimName": "models"}}, "podSecurityContext": hardened}
    channel.add("toy", "1.1.0")
    channel.release()
    newer = channel.pack(bundle.parent / "gitlab-models-3.tar")
    newer.chmod(0o644)
    directories = None
    for file, expected in ((bundle, [0, 0, 0]), (newer, [0, 0, 0]), (newer, [0, 0, 0]), (bundle, [0, 25])):
        rendered = chart.render({**values(channel, file), **claim}, "demo")
        directories = directories or volume_directories(rendered, tmp_path, bundle)
        said = initialize(rendered, directories)
        assert [status for _, status, _ in said] == expected, said


def test_a_pod_takes_the_release_from_a_registry(channel, bundle, tmp_path):
    """With TLS of a private CA and a login, as the page writes its values."""
    text = (containers.ROOT / "docs/how-to/deploy/use-with-helm.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n( +bundle: oci:.*?)```", text, re.DOTALL)
    given = yaml.safe_load(dedent(block))
    secret = tmp_path / given["registryVolume"]["secret"]["secretName"]
    (tmp_path / "ca").mkdir()
    ca = private_ca(tmp_path / "ca")
    passwords = password_file(tmp_path / "htpasswd", "pod", "s3cret")
    with docker_registry(
        tmp_path / "oci", certificate=(ca / "server.pem", ca / "server.key"), htpasswd=passwords
    ) as server:
        secret.mkdir()
        auth = base64.b64encode(b"pod:s3cret").decode()
        (secret / "config.json").write_text(json.dumps({"auths": {server.host: {"auth": auth}}}))
        (secret / "config.json").chmod(0o600)
        (secret / "ca.pem").write_bytes((ca / "ca.pem").read_bytes())
        address = f"oci://{server.host}/models/sim"
        pushed = subprocess.run(
            ["sealift", "push", bundle, address, "--ca-file", ca / "ca.pem"],
            env={**os.environ, "DOCKER_CONFIG": str(secret)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert pushed.returncode == 0, pushed.stderr
        # As a Secret gives it, unless told otherwise, to every user of the pod.
        (secret / "config.json").chmod(0o644)
        # What Helm makes of null and what it merges.
        given = {
            **{
                key: {k: v for k, v in value.items() if v is not None}
                for key, value in given.items()
                if key != "bundle"
            },
            "bundle": f"{address}:sim-2",
        }
        rendered = chart.render({**values(channel, bundle), **given}, "demo")
        directories = volume_directories(rendered, tmp_path, bundle)
        said = initialize(rendered, directories, network={"install"})
    assert [(name, status) for name, status, _ in said] == [("place", 0), ("install", 0), ("check", 0)], said
    assert "installed toy 1.0.0" in said[1][2]


def test_the_root_reaches_the_pod_byte_for_byte(channel, bundle):
    text = channel.root_bytes.decode()
    assert chart.render(values(channel, bundle), "demo")["ConfigMap"]["data"]["root.json"] == text


def test_the_store_cannot_be_the_root_of_a_volume(channel, bundle, tmp_path):
    """Why there is a container `place`: a kubelet makes the root of an emptyDir root's, and writable by everybody."""
    rendered = chart.render(values(channel, bundle), "demo")
    directories = volume_directories(rendered, tmp_path, bundle)
    install = pod(rendered)["initContainers"][1]
    for mount in install["volumeMounts"]:
        mount.pop("subPath", None)
    process = run_container(rendered, install, directories)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, "[unsafe-store]" in errors) == (36, True), errors
