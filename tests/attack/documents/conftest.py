"""A bundle with altered documents, and its refusal."""

import pytest
from support.hostile import bundles as hostile
from support.hostile.documents import FORM


@pytest.fixture
def refuse(channel, instance, refused, tmp_path):
    """Sign and install a bundle with altered documents; assert the refusal and that nothing is left."""

    def check(error=FORM, match="", **altered):
        bundle = hostile.sign(channel, tmp_path / "hostile.tar", **altered)
        instance.pin(channel.root_bytes)
        beside = sorted(tmp_path.iterdir())
        with refused(error, match):
            instance.install(bundle)
        assert not (instance.store_path / "staging").exists()
        assert not (instance.store_path / "models").exists()
        assert sorted(tmp_path.iterdir()) == [*beside, instance.directory] or sorted(tmp_path.iterdir()) == beside

    return check
