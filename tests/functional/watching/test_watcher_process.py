"""`sealift install --watch` as a process, on a real folder."""

import fcntl
import json
import os
import signal
import subprocess

import pytest
from support.watching import SEALIFT, put, reason


def test_a_copy_that_stalls_is_waited_for_and_finished_later(start, folder, bundle, pinned):
    data = bundle.read_bytes()
    target = folder / bundle.name
    process = start()
    process.until("watching")
    target.write_bytes(data[: len(data) // 2])
    event = process.until("waiting")
    assert "not completely copied yet" in event["message"]
    assert not (pinned.store_path / "current").exists()
    with target.open("ab") as file:
        file.write(data[len(data) // 2 :])
    event = process.until("installed")
    assert (event["file"], event["release"], event["changed"]) == (bundle.name, 2, True)
    assert (folder / "done" / bundle.name).read_bytes() == data
    assert not target.exists()
    assert os.listdir(folder / "refused") == []
    assert process.end()[0] == 143


def test_a_bad_file_is_refused_with_its_reason_and_the_next_one_is_installed(start, folder, bundle, pinned):
    process = start()
    (folder / "letter.tar").write_text("Dear admin, this is not a bundle.\n" * 100)
    event = process.until("refused")
    assert (event["file"], event["code"], event["exit_code"]) == ("letter.tar", "malformed", 10)
    found = reason(folder, "letter.tar")
    assert set(found) == {"code", "exit_code", "file", "message", "remedy", "sealift", "time"}
    assert (found["code"], found["exit_code"]) == ("malformed", 10)
    assert "not a Sealift bundle" in found["message"]
    put(bundle, folder)
    assert process.until("installed")["release"] == 2
    assert process.end()[0] == 143


def test_a_locked_store_is_waited_for(start, folder, bundle, pinned):
    pinned.store_path.mkdir()
    with (pinned.store_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        put(bundle, folder)
        process = start()
        event = process.until("retrying")
        assert (event["code"], event["file"]) == ("locked", bundle.name)
        assert (folder / bundle.name).exists()
    assert process.until("installed")["release"] == 2
    assert os.listdir(folder / "refused") == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_cleanly_also_in_the_middle_of_an_install(start, folder, bundle, pinned, number, status):
    put(bundle, folder)
    process = start()
    process.until("installing")
    code, err = process.end(number)
    assert code == status, err
    assert "Traceback" not in err
    # Abandoned before it counted, or finished: never a half.
    if (folder / bundle.name).exists():
        assert not (pinned.store_path / "current").exists()
    assert not (pinned.store_path / "staging").exists()
    # The next start finishes the job.
    again = start("--once")
    _, err = again.process.communicate(timeout=120)
    assert again.process.returncode == 0, err
    assert pinned.store.release().number == 2
    assert os.listdir(folder / "done") == [bundle.name]


def test_once_deals_with_what_is_there_and_exits_with_the_most_serious_refusal(start, folder, bundle, pinned):
    put(bundle, folder)
    (folder / "a.tar").write_text("no bundle at all\n")
    damaged = bytearray(bundle.read_bytes())
    damaged[-2000] ^= 1
    (folder / "b.tar").write_bytes(damaged)
    (folder / "half.tar").write_bytes(bundle.read_bytes()[:5000])
    process = start("--once")
    out, err = process.process.communicate(timeout=120)
    assert process.process.returncode == 26, err
    assert err.startswith("sealift: 'b.tar': ")
    assert err.endswith("[digest]\n")
    assert len(err.splitlines()) == 1
    assert {json.loads(line)["event"] for line in out.splitlines()} >= {"installed", "refused", "waiting"}
    assert sorted(path.name for path in folder.iterdir()) == ["done", "half.tar", "refused"]
    assert pinned.store.release().number == 2


@pytest.mark.parametrize("arguments", [["x.tar", "--watch", "."], ["--watch", ".", "--dry-run"], ["--once"], []])
def test_options_that_contradict_each_other_are_a_wrong_call(arguments, pinned, tmp_path):
    done = subprocess.run(
        [*SEALIFT, "install", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=pinned.environment,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
