"""A command of ours in this process, answered as a subprocess would: for tests of what it does, not of how it starts."""

import io
import os
import subprocess
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import click

from sealift_common.console import run

_NAMES = {
    "sealift": "sealift",
    "sealift_bundler": "sealift-bundler",
    "sealift_keys": "sealift-keys",
    "sealift_pipeline": "sealift-pipeline",
}


def name_of(group: click.Command) -> str:
    """`sealift`, `sealift-bundler` or `sealift-keys`: as users type it."""
    return _NAMES[group.callback.__module__.partition(".")[0]]


def in_process(
    group: click.Command, *arguments: object, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command with exactly these variables."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with mock.patch.dict(os.environ, environment, clear=True), redirect_stdout(out), redirect_stderr(err):
        status = run(group, name_of(group), [str(argument) for argument in arguments])
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess([name_of(group), *arguments], status, *said)
