"""Somebody else may write the store, what is in it, or a directory that leads to it: all named in one refusal."""

import os
from pathlib import Path

import pytest

from sealift.errors import UnsafeStoreError
from sealift.places import walk
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.lock import locked
from sealift.store.guard.safety import require_safe, unsafe_places

STRANGER = 64321


@pytest.fixture
def layout(tmp_path):
    if os.geteuid() != 0:
        pytest.fail("only root can give files to another user, so this test cannot say anything; run it as root")
    layout = StoreLayout(tmp_path / "parent" / "store")
    for folder in ("models/toy", "manifests", "generations", "trust"):
        (layout.root / folder).mkdir(parents=True)
    layout.lock.touch(0o644)
    return layout


def test_a_store_below_a_sticky_directory_is_safe(layout):
    layout.root.parent.chmod(0o1777)
    assert unsafe_places(layout) == []
    require_safe(layout)


def test_a_parent_that_others_may_write(layout):
    layout.root.parent.chmod(0o775)
    with pytest.raises(UnsafeStoreError, match=r"parent', which leads to it, is writable .*chmod go-w"):
        require_safe(layout)


def test_a_parent_of_another_user(layout):
    os.chown(layout.root.parent, STRANGER, 0)
    with pytest.raises(UnsafeStoreError, match=f"parent', which leads to it, belongs to uid {STRANGER}; expected root"):
        require_safe(layout)


def test_a_parent_of_the_store_owner_is_safe(layout):
    for path in [layout.root.parent, layout.root, *layout.root.rglob("*")]:
        os.chown(path, STRANGER, STRANGER)
    assert unsafe_places(layout) == []


def test_a_container_that_does_not_know_the_root_of_its_machine(layout, tmp_path, monkeypatch):
    """There `/` belongs to nobody: `unshare -r`, or rootless Podman."""
    nobody = 65534
    os.chown(layout.root.parent, nobody, nobody)
    assert len(unsafe_places(layout)) == 1
    uid_map = tmp_path / "uid_map"
    monkeypatch.setattr("sealift.places._UID_MAP", uid_map)
    uid_map.write_text("         0          0 4294967295\n")
    assert len(unsafe_places(layout)) == 1
    uid_map.write_text("         0       1000          1\n")
    assert unsafe_places(layout) == []
    os.chown(layout.root.parent, STRANGER, STRANGER)
    assert len(unsafe_places(layout)) == 1
    os.chown(layout.root.parent, nobody, nobody)
    layout.root.parent.chmod(0o777)
    assert len(unsafe_places(layout)) == 1


def test_a_link_of_another_user_in_a_sticky_directory(layout, tmp_path):
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    link = sticky / "link"
    link.symlink_to(layout.root)
    assert unsafe_places(StoreLayout(link)) == []
    os.lchown(link, STRANGER, STRANGER)
    with pytest.raises(UnsafeStoreError, match="link', which leads to it, belongs to"):
        require_safe(StoreLayout(link))


def test_a_directory_behind_a_link_counts(layout, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("parent/../parent/store")
    layout.root.parent.chmod(0o777)
    assert len(unsafe_places(StoreLayout(link))) == 1


def test_links_that_go_round_in_circles(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert "cannot be checked" in unsafe_places(StoreLayout(tmp_path / "a"))[0]


def test_every_problem_is_named_in_one_line(layout):
    (layout.root / "models").chmod(0o777)
    (layout.root / "models/toy").chmod(0o775)
    os.chown(layout.root / "trust", STRANGER, 0)
    layout.lock.chmod(0o666)
    with pytest.raises(UnsafeStoreError) as caught:
        require_safe(layout)
    message = str(caught.value)
    assert "\n" not in message
    for place in ("models'", "models/toy'", "trust'", "lock'"):
        assert place in message
    assert len(unsafe_places(layout)) == 4


def test_a_model_may_be_called_like_a_file_of_the_store(layout):
    (layout.models / "lock").mkdir()
    (layout.models / "history.jsonl").mkdir()
    assert unsafe_places(layout) == []


@pytest.mark.parametrize("name", ["lock", "history.jsonl"])
def test_a_file_of_the_store_is_a_link(name, layout, tmp_path):
    (layout.root / name).unlink(missing_ok=True)
    (layout.root / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeStoreError, match="is not a real file"):
        require_safe(layout)


def test_very_many_problems_are_cut(layout):
    for number in range(30):
        folder = layout.models / f"m{number}"
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(UnsafeStoreError, match="and 10 more, which `sealift doctor` lists"):
        require_safe(layout)


def test_root_leaves_no_lock_in_the_store_of_a_service_user(layout):
    layout.lock.unlink()
    os.chown(layout.root, STRANGER, STRANGER)
    match = f"belongs to uid {STRANGER}, and this is root .uid 0.; .*`sudo -u '#{STRANGER}'` in front"
    with pytest.raises(UnsafeStoreError, match=match), locked(layout.lock):
        pytest.fail("the lock of another user's store was given out")
    assert not layout.lock.exists()


def test_a_store_that_does_not_exist_is_judged_by_its_parents(tmp_path):
    assert unsafe_places(StoreLayout(tmp_path / "a/b/store")) == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o777)
    assert len(unsafe_places(StoreLayout(tmp_path / "a/b/store"))) == 1


def test_the_walk_names_every_directory_passed(tmp_path):
    (tmp_path / "real/store").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    passed, links = walk(tmp_path / "link/store")
    assert [Path(place.path) for place in passed] == [*reversed(tmp_path.parents), tmp_path, tmp_path / "real"]
    assert [place.path for place in links] == [str(tmp_path / "link")]
    assert [place.path for place in walk("/")[0]] == ["/"]
