"""A hostile model, and its refusal."""

import os

import pytest
from support.hostile import bundles as hostile

from sealift.errors import IncompatibleError, MalformedError, SelfTestError


@pytest.fixture
def refuse(channel, instance, refused, tmp_path):
    """Sign, install, and assert that the child's refusal leaves nothing."""

    def check(content, match, error=(SelfTestError, MalformedError, IncompatibleError)):
        instance.pin(channel.root_bytes)
        bundle = hostile.sign(channel, tmp_path / "hostile.tar", files=content)
        beside = sorted(os.listdir(tmp_path))
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert sorted(os.listdir(tmp_path)) == beside

    return check
