"""A kit that is damaged, or that somebody added to: one line, and nothing that came with it runs."""

import errno
import json
import os
import random

import pytest
from support.kits.damage import any_bytes, any_value, make_device, make_folder, make_link, make_pipe, make_sparse
from support.kits.small import describe, seal

from sealift_bundler.kit import install as script

SEEDS = 200


def test_a_whole_kit_is_taken(kit, attempt):
    assert attempt(kit) == (0, "")


@pytest.mark.parametrize("change", [make_link, make_pipe, make_device, make_folder, make_sparse])
@pytest.mark.parametrize("name", ["SHA256SUMS", "kit.json", "environments.py", "docs/how-to/a.html"])
def test_what_is_no_file_of_the_kit_is_refused_without_waiting(kit, attempt, tmp_path, name, change):
    change(kit / name, tmp_path / "outside")
    status, line = attempt(kit)
    assert status == 10, line
    assert name.split("/")[-1] in line


def test_a_folder_of_the_kit_that_is_a_link_is_refused(kit, attempt, tmp_path):
    make_link(kit / "wheels", tmp_path / "elsewhere")
    assert attempt(kit)[0] == 10


def test_a_folder_that_others_may_write_is_refused(kit, attempt, monkeypatch):
    for place in (kit, kit.parent):
        before = place.stat().st_mode
        place.chmod(0o777)
        status, line = attempt(kit)
        assert status == 3
        assert f"{str(place)!r} is writable by others" in line
        place.chmod(0o1777)
        assert attempt(kit)[0] == 0
        place.chmod(0o775)
        os.chown(place, -1, 65534)
        assert attempt(kit)[0] == 3
        os.chown(place, -1, 0)
        assert attempt(kit)[0] == 0
        place.chmod(before)
    os.chown(kit, 65534, -1)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert "belongs to uid 65534" in attempt(kit)[1]
    # He unpacked it, and now says sudo.
    monkeypatch.setenv("SUDO_UID", "65534")
    assert attempt(kit)[0] == 0


def test_a_file_that_changes_between_the_look_and_its_use_is_not_installed(kit, tmp_path):
    checked = script.Kit(kit)
    checked.check()
    (kit / "docs/how-to/a.html").write_text("changed meanwhile")
    with pytest.raises(script.RefusalError, match="was changed"):
        checked.copy("docs/how-to/a.html", tmp_path / "copy")
    os.mkfifo(tmp_path / "pipe")
    os.replace(tmp_path / "pipe", kit / "docs/how-to/a.html")
    with pytest.raises(script.RefusalError, match="not a regular file"):
        checked.read("docs/how-to/a.html")
    (kit / "docs/how-to/a.html").unlink()
    with pytest.raises(script.RefusalError, match="is missing"):
        checked.read("docs/how-to/a.html")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_any_damage_is_one_line_and_nothing_is_installed(kit, attempt, tmp_path, seed):
    rng = random.Random(seed)
    names = [str(path.relative_to(kit)) for path in sorted(kit.rglob("*")) if path.is_file()]
    name = rng.choice(["SHA256SUMS", "kit.json", rng.choice(names)])
    path, kind = kit / name, rng.randrange(4)
    before = path.read_bytes()
    if name == "kit.json" and kind < 2:
        # By somebody who can write the list, too.
        described = describe()
        described[rng.choice([*described, "other"])] = any_value(rng)
        path.write_text(json.dumps(described))
        if kind:
            path.write_bytes(any_bytes(rng, path.read_bytes()))
        seal(kit)
    elif kind < 3:
        path.write_bytes(any_bytes(rng, before))
    else:
        rng.choice([make_link, make_pipe, make_device, make_folder, make_sparse])(path, tmp_path / "outside")
    status, line = attempt(kit)
    if status == 0:
        # Lines in another order, or a value that may be: the kit still says the same of the same files.
        assert name in ("SHA256SUMS", "kit.json") or path.read_bytes() == before
    assert os.strerror(errno.ENOENT) not in line
