"""The first hour of an admin: the wrong file is named, what there is is shown, and what changed is told."""

import json
import logging
import os
import re
import tarfile
from datetime import datetime, timedelta

import pytest

import sealift
from sealift.cli import cli
from sealift.testing import ToyModel, toy_store
from sealift_common import console
from sealift_common.wrong_file import BACKUP, BUNDLE, kind_of

pytestmark = pytest.mark.usefixtures("no_replay")

QUICK = ("--seconds", "0.05", "--rows", "32")
TRIAGE = ToyModel(columns={"title": "str", "comments": "int"}, classes=("bug", "wish"), answers={"Crash": "bug"})


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal is, for what asks."""
    monkeypatch.setattr(console, "_takes_color", lambda: not os.environ.get("NO_COLOR"))


# --- the wrong file ------------------------------------------------------------------------------------


def tar_of(name, tmp_path):
    (tmp_path / "member").write_bytes(b"x")
    with tarfile.open(tmp_path / "given.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(tmp_path / "member", name)
    return tmp_path / "given.tar"


def test_a_kit_in_the_place_of_a_bundle(sealift_command, channel, instance, tmp_path):
    instance.pin(channel.root_bytes)
    given = tar_of("sealift-kit-0.1.0-linux-x86_64/1.root.json", tmp_path)
    for command in ("install", "verify", "inspect"):
        status, out, err = sealift_command(command, given)
        assert (status, out) == (10, "")
        assert "it is a kit, which brings Sealift itself; unpack it, and run its install.py" in err


def test_a_root_in_the_place_of_a_bundle_and_the_other_way_round(sealift_command, channel, instance, bundles, tmp_path):
    (tmp_path / "1.root.json").write_bytes(channel.root_bytes)
    status, _, err = sealift_command("trust", "init", bundles[0])
    assert status in (10, 13)
    assert "it is a bundle; install it with: sealift install FILE" in err
    assert sealift_command("trust", "init", tmp_path / "1.root.json")[0] == 0
    status, _, err = sealift_command("install", tmp_path / "1.root.json")
    assert (status, "it is the root of a channel; pin it with: sealift trust init FILE" in err) == (10, True)


def test_a_backup_in_the_place_of_a_bundle_and_the_other_way_round(sealift_command, installed, bundles, tmp_path):
    assert sealift_command("export", tmp_path / "backup.tar")[0] == 0
    status, _, err = sealift_command("install", tmp_path / "backup.tar")
    assert (status, "it is a backup of a store; restore it with: sealift restore FILE" in err) == (10, True)
    status, _, err = sealift_command("restore", "--replace", bundles[1])
    assert (status, "it is a bundle; install it with: sealift install FILE" in err) == (10, True)


def test_a_part_in_the_place_of_a_backup(sealift_command, installed, channel, tmp_path):
    from sealift_bundler.cli import command as bundler

    packed = ["pack", "--channel", str(channel.directory), "-o", str(tmp_path / "p.tar"), "--part-size", "20kB"]
    assert console.run(bundler, "sealift-bundler", packed) == 0
    part = min(tmp_path.glob("p.tar.part-*"))
    status, _, err = sealift_command("restore", "--replace", part)
    assert (status, "it is a part of a bundle; give all parts" in err) == (10, True)


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (b"\x80\x04\x95", "a pickle, such as a model before its conversion"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", "a private key; keep it where it belongs"),
        (b"name: ann\n-----BEGIN PUBLIC KEY-----", "the public half of a key"),
        (b"\n  <!DOCTYPE HTML><html>", "a web page, perhaps the login page"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of Git LFS"),
        (b'{"signatures":[],"signed":{"_type":"targets"', "the targets metadata of a channel"),
        (b"\x1f\x8b\x08", "a gzip file; expected a plain tar"),
        (b"\x08\x07\x12\x04", "perhaps a bare ONNX model"),
    ],
    ids=lambda value: value[:14] if isinstance(value, str) else None,
)
def test_other_files_are_named_too(begin, said):
    assert kind_of(begin, BUNDLE).startswith(said)


def test_what_is_right_is_not_called_something_else(bundles, tmp_path):
    head = bundles[0].read_bytes()[:512]
    assert kind_of(head, BUNDLE) is None
    assert kind_of(head, BACKUP) is not None
    assert kind_of(b"", BUNDLE) is None
    assert kind_of(b"nothing known\0", BUNDLE) is None


# --- what there is -------------------------------------------------------------------------------------


def test_show_lists_columns_kinds_and_what_may_be_missing(call):
    texts = ToyModel(texts=True, answers={"you fool": "yes"})
    with toy_store(models={"triage": TRIAGE, "rude": texts}):
        _, out, _ = call(cli, "show", "triage")
        assert "takes    a table with the columns below\n" in out
        assert re.search(r"^column +kind +may be missing$", out, re.MULTILINE)
        assert re.search(r"^title +str +yes$", out, re.MULTILINE)
        document = json.loads(call(cli, "show", "triage", "--json")[1])
        assert document["column_kinds"] == {"title": "str", "comments": "int"}
        assert document["may_be_missing"] == ["title", "comments"]
        assert "takes    a list of texts\n" in call(cli, "show", "rude")[1]


def test_a_rollback_says_what_changed_and_status_forgets_it_with_the_next_install(
    installed, bundles, sealift_command, channel, tmp_path
):
    status, out, _ = sealift_command("rollback", "--dry-run")
    assert (status, out.splitlines()[:2]) == (
        0,
        ["would activate toy 1.0.0, in place of 1.1.0", "would end other 1.0.0"],
    )
    _, out, _ = sealift_command("rollback")
    assert out.splitlines()[:2] == ["active toy 1.0.0, in place of 1.1.0", "no longer active: other 1.0.0"]
    assert "rolled back " in sealift_command("status")[1]
    document = json.loads(sealift_command("rollback", "--to", "2", "--json")[1])
    assert document["before"] == {"toy": "1.0.0"}
    assert sealift_command("rollback", "other", "--to", "1")[0] == 31
    channel.add("toy", "1.2.0")
    channel.release()
    installed.install(channel.pack(tmp_path))
    assert "rolled back" not in sealift_command("status")[1]
    assert json.loads(sealift_command("status", "--json")[1])["last_rollback"] is None
    assert "rollback" in sealift_command("history")[1]


def test_a_store_that_is_mistyped_does_not_exist(installed, sealift_command):
    for command in (["list"], ["status"], ["show", "toy"], ["check"], ["path", "toy"], ["rollback"]):
        status, _, err = sealift_command(*command, "--store", "/var/opt/gitlab/saelift")
        assert (status, "the store '/var/opt/gitlab/saelift' does not exist; check --store" in err) == (31, True), (
            command
        )
    with pytest.raises(sealift.NotInstalledError, match="does not exist"):
        sealift.models(store="/no/such/store")


def test_everybody_may_check_a_store(installed, sealift_command, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 64002)
    status, out, err = sealift_command("check")
    assert (status, err) == (0, "")
    assert "all is as it was signed" in out
    status, _, err = sealift_command("rollback")
    assert (status, "only its owner changes a store" in err) == (36, True)


def test_list_all_shows_what_is_not_active(installed, channel, sealift_command, tmp_path):
    assert "1.0.0" not in sealift_command("list")[1].split("toy", 1)[1].splitlines()[0]
    _, out, _ = sealift_command("list", "--all")
    rows = {tuple(line.split()[:2]): line.split()[-1] for line in out.splitlines()[1:]}
    assert rows == {("other", "1.0.0"): "active", ("toy", "1.1.0"): "active", ("toy", "1.0.0"): "installed"}
    channel.withdraw(sealift_model("toy", "1.0.0"), "answers wrongly")
    installed.install(channel.pack(tmp_path))
    document = json.loads(sealift_command("list", "--all", "--json")[1])
    gone = next(one for one in document if (one["name"], one["version"]) == ("toy", "1.0.0"))
    assert (gone["state"], gone["why"], gone["digest"]) == ("withdrawn", "answers wrongly", None)
    assert "state" not in json.loads(sealift_command("list", "--json")[1])[0]


def sealift_model(name, version):
    from sealift_common.names import ModelVersion

    return ModelVersion.parse(name, version)


def test_the_catalog_is_one_page_with_cards_and_links(channel, instance, sealift_command, tmp_path):
    from support.pages.structure import Structure
    from support.release.channel_simulator import renamed, toy_files

    channel.add("toy", "1.0.0", renamed(toy_files(), "toy", "1.0.0") | {"CARD.md": b"# <Toy>\n\nFor tests.\x1b[31m"})
    channel.add("bare", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path))
    (tmp_path / "toy@1.0.0.html").write_text("a dossier")
    status, out, _ = sealift_command("list", "--html", tmp_path / "catalog.html")
    assert (status, out.count("\n")) == (0, 3)
    page = (tmp_path / "catalog.html").read_text("utf-8")
    assert "&lt;Toy&gt;" in page
    assert "\x1b" not in page
    assert 'href="toy%401.0.0.html"' in page
    assert f'href="{(instance.store_path / "models/toy/1.0.0/CARD.md").as_uri()}"' in page
    assert 'href="#toy-1.0.0"' in page
    assert page.count(">dossier<") == 1
    structure = Structure(page)
    assert "script" not in structure.tags
    assert [one for one in structure.problems if "not closed" in one or "out of place" in one] == []


# --- clock, color, loudness ------------------------------------------------------------------------------


def test_a_clock_that_is_years_behind_is_told_on_install(channel, instance, sealift_command, tmp_path, monkeypatch):
    import sealift.cli.store.install as command

    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    bundle = channel.pack(tmp_path)
    assert "warning" not in sealift_command("install", bundle)[2]

    class Behind(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=1500)

    monkeypatch.setattr("datetime.datetime", Behind)
    assert command is not None
    _, out, err = sealift_command("install", bundle, "--json")
    assert "warning: the clock says " in err
    assert "has passed already; correct the clock" in json.loads(out)["warnings"][0]


def test_color_on_a_terminal_and_none_where_it_is_not_wanted(installed, sealift_command, terminal, monkeypatch):
    line = console.colored("problem store: gone")
    assert line == "\x1b[31m\x1b[1mproblem\x1b[0m store: gone"
    assert console.colored("release 3") == "release 3"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.colored("problem store: gone") == "problem store: gone"
    monkeypatch.delenv("NO_COLOR")
    # click takes colors out where standard output is not a terminal.
    assert "\x1b" not in sealift_command("doctor")[1]
    assert "\x1b" not in sealift_command("list", "--all")[1]


def test_doctor_ends_with_a_verdict(installed, sealift_command):
    status, out, _ = sealift_command("doctor")
    levels = [line.split()[0] for line in out.splitlines()[:-1]]
    verdict = out.splitlines()[-1]
    assert verdict.startswith("verdict: no problem" if status == 0 else "verdict: ")
    assert ("warning" in verdict) == ("warning" in levels)
    (installed.store_path / "trust").chmod(0o777)
    status, out, _ = sealift_command("doctor")
    assert out.splitlines()[-1].endswith("the worst is 'unsafe-store', exit status 36")
    assert status == 36


def test_every_command_takes_the_three_that_say_how_loud(installed, sealift_command):
    import click

    from sealift_bundler.cli import command as bundler
    from sealift_keys.cli import command as keys
    from sealift_pipeline.cli import command as pipeline

    def every(group, path):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            yield f"{path} {name}", command
            if isinstance(command, click.Group):
                yield from every(command, f"{path} {name}")

    for group in (cli, bundler, keys, pipeline):
        for path, command in every(group, group.name):
            own = [option for param in command.params for option in param.opts]
            assert {"-v", "-q", "--debug"} <= set(own), path
            assert len(own) == len(set(own)), path


def test_quiet_verbose_and_debug(installed, bundles, sealift_command):
    assert sealift_command("install", bundles[0], "-q")[2].count("\n") == 1
    status, _, err = sealift_command("show", "absent", "--debug")
    assert status == 31
    assert "Traceback (most recent call last):" in err
    assert err.splitlines()[-1].startswith("sealift: no model 'absent'")
    assert "Traceback" not in sealift_command("show", "absent")[2]
    assert sealift_command("show", "absent", "-q")[2].startswith("sealift: no model 'absent'")
    logger = logging.getLogger("sealift")
    before = logger.level, list(logger.handlers)
    assert "sealift.store.store: loaded toy 1.1.0" in sealift_command("bench", "toy", *QUICK, "-v")[2]
    assert (logger.level, list(logger.handlers)) == before
    assert "loaded toy" not in sealift_command("bench", "toy", *QUICK)[2]


def test_a_later_root_says_that_it_is_not_the_first(channel, sealift_command, tmp_path):
    (tmp_path / "1.root.json").write_bytes(channel.root_bytes)
    channel.next_root(lambda _: None)
    (tmp_path / "2.root.json").write_bytes(channel.channel.root_bytes(2))
    status, _, err = sealift_command("trust", "init", tmp_path / "2.root.json", "--trust", tmp_path / "two")
    note = "note: this is root 2, not the first; the fingerprint that owners publish is that of root 1, 1.root.json\n"
    assert (status, err) == (0, note)
    status, _, err = sealift_command("trust", "init", tmp_path / "1.root.json", "--trust", tmp_path / "one")
    assert (status, err) == (0, "")
