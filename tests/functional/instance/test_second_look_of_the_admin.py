"""What a new admin met who had only the documentation: nothing is left behind by a try, and each refusal says why."""

import pytest

pytestmark = pytest.mark.usefixtures("no_replay")


@pytest.fixture
def twice(channel, instance, tmp_path):
    """Two releases of the same version: the second brings fresh signatures alone."""
    channel.add("toy", "1.0.0")
    for number in (1, 2):
        channel.release()
        bundle = channel.pack(tmp_path / f"{number}.tar")
        if number == 1:
            instance.pin(channel.root_bytes)
        instance.install(bundle)
    return instance


def test_a_dry_run_makes_no_store(channel, instance, sealift_command, tmp_path):
    channel.add("toy", "1.0.0")
    channel.release()
    bundle = channel.pack(tmp_path / "c.tar")
    instance.pin(channel.root_bytes)
    place = instance.store_path / "deeper"
    status, out, err = sealift_command("install", "--dry-run", "--store", place, bundle)
    assert status == 0, err
    assert "nothing was changed" in out
    assert not instance.store_path.exists()
    # Nor does it take a store away that is there.
    instance.install(bundle)
    assert sealift_command("install", "--dry-run", bundle)[0] == 0
    assert sealift_command("check")[0] == 0


def test_a_rollback_where_nothing_differs_says_so(twice, sealift_command):
    status, _, err = sealift_command("rollback")
    assert status == 31
    assert "each earlier generation has the same versions as generation 2" in err
    assert "`sealift rollback --to 1` activates one all the same" in err
    status, _, err = sealift_command("rollback", "toy")
    assert (status, "no earlier generation has another version of 'toy'" in err) == (31, True)


def test_a_rollback_to_what_is_active_changes_nothing(twice, sealift_command):
    before = twice.snapshot()
    status, _, err = sealift_command("rollback", "--to", "2")
    assert (status, "generation 2 is active already; nothing was changed" in err) == (2, True)
    assert twice.snapshot() == before


def test_a_root_that_was_cut_short_is_called_so(channel, sealift_command, tmp_path):
    path = tmp_path / "1.root.json"
    path.write_bytes(channel.root_bytes[:1000])
    status, _, err = sealift_command("trust", "init", path)
    assert (status, err.count("\n")) == (10, 1)
    assert "this root is damaged or cut short: " in err
    assert "copy it again" in err


def test_a_mistyped_bundle_is_told_where_nothing_is_to_be_repaired(twice, sealift_command, tmp_path):
    status, _, err = sealift_command("check", "--repair", tmp_path / "nothing.tar")
    assert (status, "nothing.tar" in err) == (3, True)
