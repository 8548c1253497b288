"""A folder, what is dropped there, and a watcher."""

import pytest
from support.watching import Looper, Process, make


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "drop"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def pinned(channel, instance):
    instance.pin(channel.root_bytes)
    return instance


@pytest.fixture
def bundle(channel, tmp_path):
    return make(channel, tmp_path, "1.0.0")


@pytest.fixture
def looper(folder, pinned):
    return Looper(folder, pinned)


@pytest.fixture
def start(folder, pinned):
    running = []

    def start(*options):
        running.append(Process(folder, pinned, *options))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()
