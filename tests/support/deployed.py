"""The units under deploy/, read and run in a test."""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]
SEALIFT = [sys.executable, "-c", "from sealift.cli import main; main()"]
INSTALLED_AS = "/usr/local/bin/sealift"


def settings(unit):
    """Section to a list of (key, value); systemd allows a key several times, ConfigParser does not."""
    section, found = "", {}
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, []).append((key, value))
    return found


def service(unit):
    return dict(settings(unit)["Service"])


def run_unit(unit, instance, folder, *, prefix=(), **options):
    """Run a unit's command line on a test's store and folder."""
    command = shlex.split(service(unit)["ExecStart"])
    assert command[0] == INSTALLED_AS
    paths = {
        "/srv/sealift/drop": str(folder),
        "/var/lib/prometheus/node-exporter/sealift.prom": str(folder.parent / "sealift.prom"),
    }
    arguments = [paths.get(word, word) for word in command[1:]]
    return subprocess.run(
        [*prefix, *SEALIFT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=instance.environment,
        **options,
    )
