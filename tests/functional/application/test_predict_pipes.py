"""`sealift predict` as a process: pipes, readers that leave, memory, a terminal."""

import contextlib
import json
import os
import pty
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

SEALIFT = [str(Path(sys.executable).parent / "sealift")]


def test_rows_from_a_pipe(installed, frame, expected, tmp_path):
    def ask(text, *arguments):
        return subprocess.run(
            [*SEALIFT, "predict", *arguments, "--input", "-"],
            input=text,
            env=installed.environment,
            capture_output=True,
            check=False,
        )

    done = ask(frame.to_csv(index=False).encode(), "table", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["predict"] for line in done.stdout.splitlines()] == expected
    done = ask(frame.to_json(orient="records", lines=True).encode(), "table", "--input-format", "jsonl")
    assert done.stdout.decode().splitlines() == [label.replace("\t", "\\t") for label in expected]
    assert ask(b"you fool\nfine", "text").stdout == b"true\nfalse\n"
    refused = ask(b"PAR1", "table", "--input-format", "parquet")
    assert refused.returncode == 2
    assert b"cannot be read from a pipe" in refused.stderr


def test_an_answer_comes_before_the_next_row_is_there(installed):
    command = [*SEALIFT, "predict", "text", "--input", "-", "--batch-rows", "1"]
    with subprocess.Popen(
        command, env=installed.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        for text, answer in (("you fool\n", "true\n"), ("fine\n", "false\n")):
            child.stdin.write(text)
            child.stdin.flush()
            assert child.stdout.readline() == answer
        child.stdin.close()
        assert child.wait(30) == 0


def test_a_reader_that_leaves_is_no_error(installed, tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("you fool\n" * 200_000)
    command = f"{shlex.quote(SEALIFT[0])} predict text --input {rows}; echo status $? >&2"
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -n 2"],
        env=installed.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("true\ntrue\n", "status 0\n")


# Not `ru_maxrss`, which a child takes over from its parent.
PEAK = (
    "import re, sys\n"
    "from sealift.cli import cli\n"
    "from sealift_common.console import run\n"
    "status = run(cli, 'sealift', sys.argv[1:])\n"
    "print(status, re.search(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read())[1], file=sys.stderr)\n"
)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_memory_does_not_grow_with_the_rows(installed, tmp_path, name):
    def peak_kib(count):
        rows = tmp_path / name
        frame = pd.DataFrame({"size": [10.5] * 1000, "color": ["red"] * 1000})
        if name.endswith("parquet"):
            pd.concat([frame] * (count // 1000)).to_parquet(rows, row_group_size=5000)
        else:
            text = frame.to_csv(index=False) if name.endswith("csv") else frame.to_json(orient="records", lines=True)
            head, body = text.split("\n", 1) if name.endswith("csv") else ("", text)
            rows.write_text(head + "\n" + body * (count // 1000))
        command = [sys.executable, "-c", PEAK, "predict", "table", "--input", str(rows), "--output", os.devnull]
        done = subprocess.run(command, env=installed.environment, capture_output=True, text=True, check=True)
        status, peak = done.stderr.split()
        assert status == "0"
        return int(peak)

    small, large = peak_kib(10_000), peak_kib(150_000)
    # Whole, 150,000 rows of two objects take some 40 MB; allocators keep a few of a batch.
    assert large - small < 12_000, (small, large)


def test_a_bar_on_a_terminal_and_none_in_the_answers(installed, tmp_path):
    rows = tmp_path / "rows.txt"
    rows.write_text("you fool\n" * 20_000)
    master, slave = pty.openpty()
    seen = b""

    def watch():
        nonlocal seen
        # A terminal whose other side is closed ends with an error.
        with contextlib.suppress(OSError):
            while part := os.read(master, 4096):
                seen += part

    watcher = threading.Thread(target=watch)
    watcher.start()
    command = [*SEALIFT, "predict", "text", "--input", str(rows)]
    with subprocess.Popen(
        command, env={**installed.environment, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=slave
    ) as child:
        os.close(slave)
        out = child.stdout.read()
        assert child.wait(30) == 0
    watcher.join(30)
    os.close(master)
    assert out == b"true\n" * 20_000
    assert b"predicting" in seen
    assert b"100%" in seen
