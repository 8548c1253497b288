"""Short commands beside a Python that imports click, in processor time.

`status` and `list` check signatures before they say anything, so they are compared with a Python that imports click and
checks one signature with python-tuf; what they take of click alone is told and not promised.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.measuring import cost, in_turn, instance_python, processor_ratio, sealift
from bench.promises import promise

CLICK = "import click"
SIGNATURE = """
import sys
import click
from tuf.api.metadata import Metadata
root, targets = map(Metadata.from_file, sys.argv[1:])
root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
"""
MOST = 1.3


def main() -> bool:
    from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
    from support.release.instance import Instance

    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        channel, instance = ChannelSimulator(work / "channel"), Instance(work)
        instance.pin(channel.root_bytes)
        channel.add("toy", "1.0.0", renamed(toy_files(), "toy", "1.0.0"))
        channel.release()
        instance.install(channel.pack_anything(work / "x.tar"))
        own = {"SEALIFT_STORE": str(work / "store"), "SEALIFT_TRUST": str(work / "etc")}
        signed = [work / "etc/root.json", work / "store/trust/current/targets.json"]
        # The bundler's tools lie in this environment, and not in an instance's.
        bundler = Path(sys.executable).with_name("sealift-bundler")
        commands = {
            "click": [instance_python(), "-c", CLICK],
            "signature": [instance_python(), "-c", SIGNATURE, *signed],
            "sealift --help": [sealift(), "--help"],
            "sealift status": [sealift(), "status"],
            "sealift list": [sealift(), "list"],
            "click here": [sys.executable, "-c", CLICK],
            "sealift-bundler --help": [bundler, "--help"],
        }
        found = in_turn({side: partial(cost, command, own) for side, command in commands.items()})
    kept = True
    for command, beside, said in (
        ("sealift --help", "click", "a Python that imports click"),
        ("sealift-bundler --help", "click here", "a Python that imports click"),
        ("sealift status", "signature", "click and one signature by python-tuf"),
        ("sealift list", "signature", "click and one signature by python-tuf"),
    ):
        kept &= promise(f"{command}: {said}", processor_ratio(found, command, beside), MOST)
    for command in ("sealift status", "sealift list"):
        print(f"{command}: {processor_ratio(found, command, 'click'):.2f} of click alone, no promise", flush=True)
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
