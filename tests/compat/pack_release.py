"""Pack one bundle of each form, as the Sealift of this checkout writes them, before its release; never again after it.

    PYTHONPATH=tests python tests/compat/pack_release.py      writes tests/compat/sealift-<version>/<form>/

The keys of the channels are gone when it ends. What lies there already is left as it is: a released bundle is a fact.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from first_reader.run import KINDS
from support.gitlab.training import Training
from support.release.channel_simulator import ChannelSimulator
from support.release.command_line import in_process
from support.release.reviews import ReviewedChannel
from support.release.workbench import Workbench

import sealift
from sealift_bundler.cli import command
from sealift_bundler.packing.parts import split
from sealift_keys.channel.directory import Channel

HERE = Path(__file__).parent


def of_a_kind(kind: str) -> Callable[[Path, Path], None]:
    """A model that every Sealift knows, and one of this kind beside it."""

    def make(work: Path, output: Path) -> None:
        channel = ChannelSimulator(work / "channel")
        channel.add("toy", "1.0.0")
        (work / "recipe").mkdir()
        KINDS[kind](channel, work / "recipe")
        channel.release()
        channel.pack(output / "1.tar")
        keep_root(channel.channel, output)

    return make


def keep_root(channel: Channel, output: Path) -> None:
    """Write what an instance pins."""
    (output / "1.root.json").write_bytes(channel.root_bytes(1))


def reviewed(work: Path, output: Path) -> None:
    channel = ReviewedChannel(work / "channel")
    model = channel.stage("1.0.0", "limited")
    channel.say(model, "security", "ada")
    channel.say(model, "legal", "bob")
    channel.release()
    channel.pack(output / "1.tar")
    keep_root(channel.channel, output)


def differential(work: Path, output: Path) -> None:
    channel = ChannelSimulator(work / "channel")
    channel.add("toy", "1.0.0")
    channel.release()
    channel.pack(output / "1.tar")
    channel.add("toy", "1.1.0")
    channel.release()
    words = ["pack", "--channel", work / "channel", "--since", output / "1.tar", "-o", output / "2.tar"]
    done = in_process(command, *words, environment={**os.environ})
    assert done.returncode == 0, done.stderr
    keep_root(channel.channel, output)


def in_parts(work: Path, output: Path) -> None:
    channel = ChannelSimulator(work / "channel")
    channel.add("toy", "1.0.0")
    channel.release()
    (output / "1").mkdir()
    split(channel.pack(work / "whole.tar"), output / "1", 12_000)
    keep_root(channel.channel, output)


def trained(work: Path, output: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        training = Training(Workbench(work, patch), 560)
        training.retrain()
        training.release()
        assert training.bench.bundler("pack", "--channel", "ch", "-o", str(output / "1.tar"))[0] == 0
        keep_root(training.channel, output)


FORMS: dict[str, Callable[[Path, Path], None]] = {
    **{kind.replace(" ", "-"): of_a_kind(kind) for kind in KINDS},
    "reviewed": reviewed,
    "differential": differential,
    "in-parts": in_parts,
    "trained": trained,
}


def main() -> int:
    """Pack what is not there yet."""
    folder = HERE / f"sealift-{sealift.__version__}"
    for form, make in FORMS.items():
        output = folder / form
        if output.exists():
            print(f"{form}: is there already")
            continue
        output.mkdir(parents=True)
        with TemporaryDirectory(prefix="sealift-compat-") as work:
            make(Path(work), output)
        print(f"{form}: {sum(path.stat().st_size for path in output.rglob('*') if path.is_file()):,} bytes")
    (folder / "made").write_text(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
