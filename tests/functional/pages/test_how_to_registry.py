"""The how-to page about registries, typed against Debian's docker-registry and a server that speaks GitLab's interface."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from support.pages.admin_page import Page, carry, page_file
from support.servers.gitlab_server import TOKENS, gitlab_server
from support.servers.registry_server import docker_registry, password_file, private_ca

from sealift.registry.sources.release_artifact import ARTIFACT_TYPE, artifact_bytes, parse_artifact

pytestmark = pytest.mark.slow

PAGE = "use-a-registry-inside.md"


@pytest.fixture
def page(tmp_path: Path) -> Page:
    (tmp_path / "carried").mkdir()
    return Page(tmp_path, carry(tmp_path / "carried"))


def test_use_a_registry_inside(page: Page, tmp_path: Path, require_tool) -> None:
    require_tool("skopeo")
    (tmp_path / "ca").mkdir()
    ca = private_ca(tmp_path / "ca")
    (page.work / "certs").mkdir()
    shutil.copy(ca / "ca.pem", page.work / "certs" / "ca.crt")
    (page.work / "password").write_text("s3cret\n")
    passwords = password_file(tmp_path / "htpasswd", "ann", "s3cret")
    certificate = (ca / "server.pem", ca / "server.key")
    with (
        docker_registry(tmp_path / "registry", certificate=certificate, htpasswd=passwords) as registry,
        gitlab_server(certificate) as gitlab,
    ):
        host = f"127.0.0.1:{gitlab.server_address[1]}"
        page.set(REGISTRY=registry.host, GITLAB=host, GITLAB_TOKEN=TOKENS["PRIVATE-TOKEN"])
        page.follow(PAGE, "sealift trust init 1.root.json")
    assert len(gitlab.files) == 1
    assert page.store.is_dir()


def test_the_pod_of_the_page_names_one_place_for_each_mount() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", page_file(PAGE).read_text("utf-8"), re.DOTALL)
    pod = yaml.safe_load(text)
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    places = {entry["name"]: entry["value"] for entry in container["env"]}
    assert places == {"SEALIFT_STORE": mounts["models"], "SEALIFT_TRUST": mounts["root"]}
    assert set(mounts) == {volume["name"] for volume in pod["volumes"]}


def test_the_artifact_of_the_reference_page_is_the_form_that_is_written() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "registry.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    shown = json.loads(example)
    written = json.loads(artifact_bytes({"index.json": b"{}"}, shown["annotations"]))
    for document in (shown, written):
        for entry in (document["config"], *document["layers"]):
            entry |= {"digest": "", "size": 0}
    assert shown == written
    assert shown["artifactType"] == ARTIFACT_TYPE
    names = ["index.json", "tuf/1.root.json", "tuf/targets.json", "MANIFEST.md"]
    raw = artifact_bytes(dict.fromkeys(names, b"x"), {})
    assert [name for name, _ in parse_artifact(raw, "it")] == names
