"""Whether a model has to be trained again: new rows, drift, or rows that it saw and that were erased."""

from dataclasses import dataclass

from sealift_common.wording import counted
from sealift_pipeline.erasure.erasing import erased_since
from sealift_pipeline.errors import ChallengerError
from sealift_pipeline.runs.handed_over import Trained
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.training.champions.channels import Channels
from sealift_pipeline.training.drift.measuring import LEAST_ROWS, Measured, measure
from sealift_pipeline.training.project.code import load_code
from sealift_pipeline.training.project.settings import Project
from sealift_pipeline.training.rows import events_of, rows_of


@dataclass(frozen=True)
class Needed:
    """What speaks for training again.

    Attributes:
        since: the version that new rows are compared with; None where there is none.
        new_rows: events that were landed since its data snapshot.
        measured: each measure of each column; none where there are fewer than 100 new rows.
        reasons: why to train; none where nothing speaks for it.
    """

    since: Trained | None
    new_rows: int
    measured: tuple[Measured, ...]
    reasons: tuple[str, ...]


def needed(project: Project, settings: Settings, channels: Channels, snapshot: Snapshot) -> Needed:
    """Compare the rows since the newest version, staged or released, with the rows that it learned from.

    Args:
        snapshot: of all rows that are landed.

    Raises:
        ProjectError: the project's code raises, or gives no rows.
        ChannelError: the channel cannot be read.
    """
    since = max(channels.trained(project.name), key=lambda one: one.snapshot.upto, default=None)
    if since is None:
        return Needed(None, snapshot.rows, (), (f"no version of {project.name} was trained before",))
    if since.snapshot.table != snapshot.table:
        reason = f"{since.model} was trained on another table, {since.snapshot.table}"
        return Needed(since, snapshot.rows, (), (reason,))
    events = events_of(settings.table_place, snapshot, after=since.snapshot.upto)
    new, reasons = events.num_rows, []
    if new >= project.need.new_rows:
        reasons.append(f"{counted(new, 'new row')} of at least {project.need.new_rows:,}")
    gone = erased_since(settings, since.snapshot)
    if gone:
        reasons.append(f"{counted(gone, 'row')} that {since.model} saw {'was' if gone == 1 else 'were'} erased")
    measured: list[Measured] = []
    if new >= LEAST_ROWS:
        rows = rows_of(load_code(project.code), events, validation=project.validation, test=project.test)
        measured = measure(since.run.profile, rows.frame, rows.labels.tolist(), project.need)
    reasons += [
        f"{one.measure} of {one.column} is {one.value:.3f} of {one.limit:g}" for one in measured if one.is_drift
    ]
    return Needed(since, new, tuple(measured), tuple(reasons))


def require_trained(found: Needed, project: Project) -> Trained:
    """Return the version that drift is measured against.

    Raises:
        ChallengerError: there is none.
    """
    if found.since is None:
        raise ChallengerError(f"no version of {project.name} was trained before, so there is nothing to drift from")
    return found.since
