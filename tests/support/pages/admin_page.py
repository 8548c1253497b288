"""A how-to page for admins, typed into a shell on an instance of the test's own."""

import os
import re
import sys
from pathlib import Path

from support.machine import own_machine
from support.pages.page_shell import Shell, commands, missing, unindented
from support.release.channel_simulator import ChannelSimulator

_HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
_REFUSAL = re.compile(r"(sealift:.*|…)\[[a-z-]+\]")


def page_file(name: str) -> Path:
    """Find a how-to page by its file name, in whichever room it is."""
    (found,) = _HOW_TO.rglob(name)
    return found


def carry(directory: Path) -> Path:
    """Write what an admin was handed: the channel's root, and the bundles of two releases of one model."""
    channel = ChannelSimulator(directory / "channel", name="gitlab-models")
    for number, version in ((2, "1.3.0"), (3, "1.4.0")):
        channel.add("issue-triage", version)
        channel.release()
        channel.pack(directory / f"gitlab-models-{number}.tar").chmod(0o644)
    (directory / "1.root.json").write_bytes(channel.root_bytes)
    return directory


class Page:
    """A page, a directory to type it in, and the places that it names with SEALIFT_STORE and SEALIFT_TRUST.

    Args:
        place: an empty folder.
        carried: what `carry` wrote; None for a page of somebody to whom nothing is carried.
    """

    def __init__(self, place: Path, carried: Path | None = None) -> None:
        self.work, self.store = place / "work", place / "var" / "sealift"
        for directory in (self.work, place / "home", place / "bin", self.store.parent):
            directory.mkdir()
        for name in ("1.root.json", "gitlab-models-2.tar", "gitlab-models-3.tar") if carried else ():
            (self.work / name).write_bytes((carried / name).read_bytes())
        self._place = place
        self._environment = {
            "PATH": f"{place / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(place / "home"),
            "LANG": "C.UTF-8",
            "SEALIFT_STORE": str(self.store),
            "SEALIFT_TRUST": str(place / "etc" / "sealift"),
            "SEALIFT_BACKUPS": str(place / "backups"),
            **({"TMPDIR": os.environ["TMPDIR"]} if "TMPDIR" in os.environ else {}),
        }

    def set(self, **variables: str) -> None:
        """Set variables of the page's shell."""
        self._environment |= variables

    def tool(self, name: str, text: str) -> None:
        """Put a program in front of the machine's own."""
        path = self._place / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def follow(self, page: str, *before: str) -> None:
        """Type every command; each must say what the page shows, and succeed unless the page shows a refusal."""
        shell = Shell(self.work, self._environment, own_machine.within())
        try:
            for command in before:
                assert shell.type(f"{command} >/dev/null") in ([], [""])
            typed = commands(unindented(page_file(page).read_text("utf-8")))
            assert len(typed) >= 4
            for one in typed:
                output = shell.type(one.command)
                status = int(shell.type("echo $status; (exit $status)")[0])
                said = f"$ {one.command}\nstatus {status}\nthe shell says:\n" + "\n".join(output)
                line = missing([line for line in one.shown if line != "…"], output)
                assert line is None, f"the page shows: {line}\n{said}"
                refused = any(_REFUSAL.fullmatch(shown) for shown in one.shown)
                assert (status != 0) == refused, said
                if not one.shown:
                    assert [line for line in output if line] == [], f"says more than the page\n{said}"
        finally:
            shell.close()
