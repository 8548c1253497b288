"""Make a run again from what it names, and compare: in this environment, or in a fresh one of its lock file."""

import subprocess
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealift.child_environment import child_environment
from sealift_bundler.kit.download import FOR_PIP
from sealift_bundler.kit.own_wheel import own_wheel
from sealift_common.errors import DigestError
from sealift_common.files import scratch
from sealift_common.files.secret_file import read_regular
from sealift_common.parent import bound
from sealift_common.parsing.limits import LIMITS
from sealift_pipeline.erasure.erasing import erased_since
from sealift_pipeline.errors import ProjectError, RetrainError
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import FILE as SNAPSHOT_FILE
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import verify
from sealift_pipeline.training.champions.channels import Channels, open_channels
from sealift_pipeline.training.fitting import OpenWorkers
from sealift_pipeline.training.inputs import inputs_of
from sealift_pipeline.training.making import make
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.search.workers import working

_TAIL_CHARS = 300


@dataclass(frozen=True)
class Given:
    """A run and the data snapshot that lies beside it."""

    run: Run
    snapshot: Snapshot


def read_given(path: Path) -> Given:
    """Read a run, and the data snapshot beside it.

    Raises:
        MalformedError, LimitError, UnsupportedVersionError: a file is not of its form.
        DigestError: the data snapshot is not that of the run.
        OSError: a file is missing.
    """
    run = Run.parse(read_regular(path, LIMITS.json_size_bytes + 1)[0], path.name)
    data, _ = read_regular(path.with_name(SNAPSHOT_FILE), LIMITS.json_size_bytes + 1)
    if digest(data) != run.inputs["data_snapshot"]:
        raise DigestError(
            f"{SNAPSHOT_FILE} beside {path.name} is {digest(data)}, and the run used {run.inputs['data_snapshot']}"
        )
    return Given(run, Snapshot.parse(data))


def require_inputs(given: Given, project: Project, settings: Settings) -> Lock:
    """Check that code, project, lock and rows are those of a run; return the lock.

    Raises:
        ProjectError: another file was used.
        RetrainError: rows were erased since: nobody can make the run again.
        DigestError, TableError: the table is not that of the data snapshot.
    """
    lock = Lock(project.lock)
    now, run = inputs_of(project, lock, given.snapshot), given.run
    names = {"code": project.code.name, "lock": project.lock.name, "project": project.path.name, "python": "Python"}
    for key, name in names.items():
        if now[key] != run.inputs[key]:
            raise ProjectError(f"{name} is {now[key]}, and {run.model} was made with {run.inputs[key]}; give that one")
    gone = erased_since(settings, given.snapshot)
    if gone:
        raise RetrainError(f"{gone} of the rows of {run.model} were erased since; it cannot be made again: retrain")
    verify(settings, given.snapshot)
    return lock


def reproduce(
    given: Given, project: Project, settings: Settings, *, workers: int = 1, open_workers: OpenWorkers = working
) -> None:
    """Make a run again in this environment, and compare it byte by byte.

    Raises:
        DigestError: something came out differently; the message names it.
        As `require_inputs` and `retrain`.
    """
    lock = require_inputs(given, project, settings)
    channels, run = open_channels(project, settings), given.run
    made = make(
        project,
        settings,
        given.snapshot,
        run.model,
        inputs=run.inputs,
        libraries=lock.require_here(),
        champion=_champion(run, channels),
        workers=workers,
        open_workers=open_workers,
    )
    for name, wanted in sorted(run.files.items()):
        got = made.run.files.get(name, "not there")
        if got != wanted:
            raise DigestError(f"{run.model}: {name} came out as {got}, and the run made {wanted}{_why(made.run, run)}")
    if made.run.to_bytes() != run.to_bytes():
        parts = [name for name in run.__dataclass_fields__ if getattr(made.run, name) != getattr(run, name)]
        raise DigestError(f"{run.model}: run.json came out differently in {', '.join(parts)}{_why(made.run, run)}")


def _why(made: Run, run: Run) -> str:
    return "" if made.machine == run.machine else "; it was made on a machine with another processor or other libraries"


def _champion(run: Run, channels: Channels) -> Trained | None:
    if not run.champion:
        return None
    for one in channels.trained(run.model.name):
        if one.blob.digest == run.champion["digest"]:
            return one
    raise RetrainError(
        f"{run.model} was compared with {run.model.name} {run.champion['version']}, which "
        f"{str(channels.released.directory)!r} does not have any longer; give a copy of the channel that has it"
    )


def in_fresh_environment(project: Project, arguments: Sequence[str]) -> int:
    """Install what the project's lock pins and this Sealift into a new environment; run `sealift-pipeline` there.

    Args:
        arguments: of the command.

    Returns:
        Its exit status; it has said itself what it came to.

    Raises:
        ProjectError: pip cannot install the lock.
    """
    with scratch.folder("sealift-reproduce") as work:
        python = work / "environment" / "bin" / "python"
        venv.create(work / "environment", with_pip=True)
        wheel = own_wheel(work).path
        pip = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--disable-pip-version-check", "--no-deps"]
        _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(project.lock.absolute())], project.lock)
        _run([*pip, "--no-index", str(wheel)], project.lock)
        command = [str(python.with_name("sealift-pipeline")), *arguments]
        return subprocess.run(bound(command), check=False, env=child_environment()).returncode


def _run(command: list[str], lock: Path) -> None:
    environment = child_environment(also=FOR_PIP)
    done = subprocess.run(bound(command), capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        said = " ".join(done.stderr.split())[-_TAIL_CHARS:]
        raise ProjectError(f"pip cannot install {lock.name}: {said or 'no message'}")
