"""Cut an install off at every durable step: the old generation serves, and the same command finishes the job."""

import pytest
from support.depth import DEPTH
from support.release.self_test_stub import Passes

from sealift_common.files import durable

pytestmark = pytest.mark.slow


class PowerCut(BaseException):
    """Not an Exception, so that nothing in the code can handle it."""


STEPS = ("write_new", "move", "point", "append_line", "make_directory", "sync_directory")


def _cut_after(monkeypatch, allowed):
    """Let `allowed` durable operations pass, then die in the next; returns a counter."""
    count = [0]
    for name in STEPS:
        original = getattr(durable, name)

        def step(*args, _original=original, **kwargs):
            count[0] += 1
            if count[0] > allowed:
                raise PowerCut
            return _original(*args, **kwargs)

        monkeypatch.setattr(durable, name, step)
    return count


def test_at_every_step(channel, instance, tmp_path, monkeypatch, capsys):
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first.tar"))
    monkeypatch.setattr("sealift.install.steps._Run._clean", lambda _: None)  # a dead process cleans nothing up
    interrupted = 0
    for release in range(1, 200):
        channel.add("toy", f"1.{release}.0")
        channel.release()
        bundle = channel.pack(tmp_path / "next.tar")
        active = instance.store.load("toy").version
        with monkeypatch.context() as cut:
            cut.setattr("sealift.install.steps.SelfTestProcess", Passes)
            # After every third step, or with DEPTH=3 after each.
            _cut_after(cut, (release - 1) * max(1, 4 - DEPTH))
            try:
                instance.install(bundle)
                finished = True
            except PowerCut:
                finished = False
                interrupted += 1
        assert instance.store.load("toy").version in (active, f"1.{release}.0")
        monkeypatch.undo()
        monkeypatch.setattr("sealift.install.steps.SelfTestProcess", Passes)
        instance.install(bundle)
        monkeypatch.undo()
        assert instance.store.load("toy").version == f"1.{release}.0"
        entries = [
            line
            for line in (instance.store_path / "history.jsonl").read_text().splitlines()
            if f'"1.{release}.0"' in line
        ]
        assert len(entries) == 1, entries
        assert not (instance.store_path / "staging").exists()
        monkeypatch.setattr("sealift.install.steps._Run._clean", lambda _: None)
        if finished:
            break
    else:
        pytest.fail("an install has more than 200 durable steps?")
    with capsys.disabled():
        print(f"\ninterrupted at each of {interrupted} durable steps")
    assert interrupted > 20 // max(1, 4 - DEPTH)
