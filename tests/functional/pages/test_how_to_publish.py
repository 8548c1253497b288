"""The page about GitLab's model registry, typed into a shell, against GitLab's routes."""

from pathlib import Path

import pytest
from support.gitlab.model_registry import WRITES, model_registry
from support.pages.admin_page import Page
from support.release.channel_simulator import ChannelSimulator

pytestmark = pytest.mark.slow


def test_publish_to_gitlabs_model_registry(tmp_path: Path) -> None:
    page = Page(tmp_path)
    channel = ChannelSimulator(page.work / "channel", name="gitlab-models")
    channel.add("issue-triage", "1.4.0")
    (page.work / "token").write_text(f"{WRITES}\n")
    (page.work / "token").chmod(0o600)
    with model_registry() as gitlab:
        page.set(GITLAB=gitlab.address.removeprefix("gitlab://").partition("/")[0])
        page.follow("publish-to-gitlabs-model-registry.md")
        assert set(gitlab.models.model("issue-triage")["versions"]) == {"1.4.0"}
