"""Many nodes, one store: one node installs, the others see it through a mount that cannot be written."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.release.instance import Instance

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs/how-to/instance/install-on-several-nodes.md"
READERS = 3
WAIT_S = 60
READER = """
import sys
import sealift
model = sealift.load("toy", follow=True)
print(model.version, flush=True)
for line in sys.stdin:
    while model.version != line.strip():
        model.predict([[1.0, 2.0, 3.0, 4.0]])
    print(model.version, flush=True)
"""


class Reader:
    """A node of its own: the store mounted read-only, the pinned root on its own disk."""

    def __init__(self, writer: Instance, directory: Path, root: bytes) -> None:
        self._instance = Instance(directory)
        self._instance.pin(root)
        self._instance.store_path.mkdir()
        self._source = writer.store_path

    def command(self, *words: str) -> list[str]:
        mount = shlex.join(["mount", "--bind", str(self._source), str(self._instance.store_path)])
        only_read = shlex.join(["mount", "-o", "remount,bind,ro", str(self._instance.store_path)])
        return ["unshare", "--mount", "--net", "sh", "-c", f"{mount} && {only_read} && exec {shlex.join(words)}"]

    def run(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, env=self._instance.environment, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(sys.executable, "-c", code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._instance.environment,
        )


@pytest.fixture
def readers(channel, instance, tmp_path) -> list[Reader]:
    channel.add("toy", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "2.tar"))
    return [Reader(instance, tmp_path / f"reader-{number}", channel.root_bytes) for number in range(READERS)]


def page_commands() -> list[list[str]]:
    """What the page tells readers to run."""
    section = PAGE.read_text("utf-8").partition("## With a shared file system")[2].partition("\n## ")[0]
    blocks = re.findall(r"```shell\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line) for line in blocks[1].splitlines() if line.strip()]


def test_readers_check_and_follow_what_one_node_installs(readers, channel, instance, tmp_path):
    running = [reader.start(READER) for reader in readers]
    try:
        assert [process.stdout.readline() for process in running] == ["1.0.0\n"] * READERS
        channel.add("toy", "1.1.0")
        number = channel.release()
        instance.install(channel.pack(tmp_path / "3.tar"))
        outputs = [process.communicate("1.1.0\n", timeout=WAIT_S)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert outputs == ["1.1.0\n"] * READERS

    typed = page_commands()
    assert [words[:2] for words in typed] == [["sealift", "check"], ["sealift", "status"]]
    for reader in readers:
        for words in typed:
            reader.run(*(str(number) if word == "7" else word for word in words))


def test_a_reader_that_was_left_behind_is_found(readers):
    assert "left behind" in readers[0].run("sealift", "status", "--expect", "9", status=39)


def test_a_reader_cannot_install_and_says_why(readers, channel, instance, tmp_path):
    channel.add("toy", "1.1.0")
    channel.release()
    bundle = channel.pack(tmp_path / "3.tar")
    before = instance.snapshot()
    said = readers[0].run("sealift", "install", str(bundle), status=3)
    assert "read-only" in said.lower().replace("read only", "read-only")
    assert instance.snapshot() == before


def test_a_server_that_changes_a_file_is_noticed_by_its_readers(readers, instance):
    file = instance.store_path / "models/toy/1.0.0/model.onnx"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    readers[0].run("sealift", "check", status=33)
    assert "was changed in the store" in readers[1].run(
        sys.executable, "-c", "import sealift\ntry: sealift.load('toy')\nexcept sealift.Error as error: print(error)"
    )
