"""Retrain a model: one order from the events that are landed to a version that waits for its release.

1. take a data snapshot of all that is landed
2. stop where a version, or a refusal, has the same inputs
3. find the champion, in the channel or in a registry; with `--if-needed`, stop where nothing speaks for training
4. let the project make rows, and split them by their objects
5. search parameters, fit the best, convert it with proof
6. judge it against the champion on rows that neither saw
7. write the run and its page into the pipeline's folder
8. hand over: refuse if rows were erased meanwhile, then stage model, run and data snapshot together.

A crash before 8 leaves the channel as it was; the same command then starts anew. What trains is imported behind 2:
where nothing changed, nobody waits for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sealift_common.files import durable
from sealift_common.files.output import write
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel
from sealift_pipeline.errors import ChallengerError, RetrainError
from sealift_pipeline.runs.document import FILE as RUN_FILE
from sealift_pipeline.runs.document import Run, digest
from sealift_pipeline.runs.handed_over import Trained, note_channel
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.snapshots.document import FILE as SNAPSHOT_FILE
from sealift_pipeline.snapshots.document import Snapshot
from sealift_pipeline.snapshots.taking import take
from sealift_pipeline.training.champions.channels import open_channels
from sealift_pipeline.training.inputs import champion_document, inputs_of, shared_by
from sealift_pipeline.training.project.lock import Lock
from sealift_pipeline.training.project.settings import Project

if TYPE_CHECKING:
    from sealift_pipeline.gate.judging import Judgement
    from sealift_pipeline.training.drift.measuring import Measured
    from sealift_pipeline.training.fitting import OpenStudy, OpenWorkers
    from sealift_pipeline.training.making import Made

RUNS_FOLDER, PAGE_FILE = "runs", "run.html"
STAGED, UNCHANGED, NOT_NEEDED = "staged", "unchanged", "not needed"
_WAIT_S = 60.0


@dataclass(frozen=True)
class Retrained:
    """What a retraining came to.

    Attributes:
        outcome: `staged`, `unchanged` or `not needed`.
        channel: folder of the channel that has the version, or that it would be staged in.
        model: the version that is staged, or has the same inputs; None where none was made.
        reference: digest of its manifest.
        page: of the run; None where nothing was trained.
        is_first: whether there was no released version to compare it with.
    """

    outcome: str
    channel: Path
    model: ModelVersion | None = None
    reference: str = ""
    page: Path | None = None
    judgement: "Judgement | None" = None
    is_first: bool = False


def retrain(
    project: Project,
    settings: Settings,
    *,
    workers: int = 1,
    if_needed: bool = False,
    storage: str = "",
    open_workers: "OpenWorkers | None" = None,
) -> Retrained:
    """Retrain a model; see the module.

    Args:
        workers: how many processes search; any number leads to the same bytes.
        if_needed: train only on new rows, drift, or erased rows.
        storage: address of a database through which other machines may assist; empty for none.
        open_workers: gives what searches; None for processes of their own.

    Raises:
        ProjectError: the project, its environment or its rows are not as they should be.
        ChallengerError: the new version is not better, or there is nothing to compare it with; nothing was staged.
        RetrainError: rows were erased meanwhile; nothing was staged.
        UnknownKindError, DigestError: there is no table, or it is damaged.
        ConversionError, ParityError, DisclosureError, ChannelError: as `sealift-bundler add`.
        As `fetch`, where the champion comes from a registry.
    """
    lock = Lock(project.lock)
    libraries = lock.require_here()
    channels = open_channels(project, settings)
    snapshot = take(settings, settings.data_policy(), project.kind)  # 1
    inputs = inputs_of(project, lock, snapshot)
    folder = settings.folder / RUNS_FOLDER / project.name
    same = next((one for one in channels.trained(project.name) if one.run.inputs == inputs), None)
    if same is not None:  # 2
        return Retrained(UNCHANGED, same.channel, same.model, same.blob.digest)
    from sealift_pipeline.training.champions.champion import find_champion, next_version
    from sealift_pipeline.training.drift.need import needed
    from sealift_pipeline.training.making import make
    from sealift_pipeline.training.search.asking import new_study
    from sealift_pipeline.training.search.sharing import SharedSearch
    from sealift_pipeline.training.search.workers import working

    champion = find_champion(channels.released, project)  # 3
    _require_new(folder, inputs, champion)
    if if_needed and not needed(project, settings, channels, snapshot).reasons:
        return Retrained(NOT_NEEDED, channels.staging.directory)
    model = next_version(channels, project)
    open_study: OpenStudy = new_study
    open_workers = open_workers or working
    if storage:
        shared = SharedSearch(storage, project.name, shared_by(inputs, libraries, snapshot))
        open_study, open_workers = shared.open_study, shared.open_workers
    made = make(
        project,
        settings,
        snapshot,
        model,
        inputs=inputs,
        libraries=libraries,
        champion=champion,
        workers=workers,
        open_study=open_study,
        open_workers=open_workers,
    )
    page = _keep(project, folder, made, champion, snapshot)  # 7
    if not made.judgement.passed:
        then = ""
        if champion is not None and made.judgement.erased:
            then = f"; rows that {champion.model} saw were erased: where nothing passes, withdraw that version"
        raise ChallengerError(f"{model} was not staged: {'; '.join(made.judgement.reasons)}{then}; see {str(page)!r}")
    reference = hand_over(project, settings, channels.staging, snapshot, made)  # 8
    return Retrained(STAGED, channels.staging.directory, model, reference, page, made.judgement, champion is None)


def _require_new(folder: Path, inputs: Mapping[str, str], champion: Trained | None) -> None:
    """Refuse at once what was refused before, with the same inputs and against the same champion."""
    try:
        before = Run.parse((folder / RUN_FILE).read_bytes(), RUN_FILE)
    except FileNotFoundError:
        return
    if before.inputs == inputs and before.champion == champion_document(champion) and not before.gate["passed"]:
        reasons = "; ".join(before.gate["reasons"])
        raise ChallengerError(
            f"unchanged: {before.model} was refused before: {reasons}; see {str(folder / PAGE_FILE)!r}"
        )


def _keep(project: Project, folder: Path, made: "Made", champion: Trained | None, snapshot: Snapshot) -> Path:
    from sealift_pipeline.training.drift.measuring import measure
    from sealift_pipeline.training.page import run_html

    drift: list[Measured] = []
    if champion is not None:
        drift = measure(champion.run.profile, made.rows.frame, made.rows.labels.tolist(), project.need)
    for missing in (folder.parent, folder):
        durable.make_directory(missing)
    write(folder / SNAPSHOT_FILE, snapshot.to_bytes())
    write(folder / RUN_FILE, made.run.to_bytes())
    write(folder / PAGE_FILE, run_html(made.run, snapshot, champion, drift).encode("utf-8"))
    return folder / PAGE_FILE


def hand_over(project: Project, settings: Settings, channel: Channel, snapshot: Snapshot, made: "Made") -> str:
    """Stage a version with its run and data snapshot; no row is erased meanwhile. Returns the manifest's digest.

    Raises:
        RetrainError: rows were erased since the data snapshot; nothing was staged.
        As `stage_conversion`.
    """
    from sealift_bundler.release.modelpack import Descriptor
    from sealift_bundler.release.staging_conversion import Origin, stage_conversion
    from sealift_pipeline.erasure.erasing import erased_since
    from sealift_pipeline.landing.lander import writing

    run = made.run.to_bytes()
    documents = {RUN_FILE: run, SNAPSHOT_FILE: snapshot.to_bytes()}
    if project.card is not None:
        documents["CARD.md"] = project.card.read_bytes()
    descriptor = Descriptor(
        title=project.title,
        description=project.description,
        authors=list(project.authors),
        licenses=list(project.licenses),
        created_at=made.created_at,
        # What made this version; `verify` holds the run against it.
        revision=digest(run),
    )
    origin = Origin(project.path, lambda: made.run.inputs["code"], lambda: made.run.inputs["data_snapshot"])
    with writing(settings.folder, wait_s=_WAIT_S):
        gone = erased_since(settings, snapshot)
        if gone:
            raise RetrainError(
                f"{gone} of the rows that {made.run.model} was trained on were erased meanwhile; nothing was staged: "
                "retrain"
            )
        # Noted first: an erasure after a crash here looks once too often, never once too little.
        note_channel(settings.folder, channel.directory)
        return stage_conversion(
            made.conversion,
            channel,
            origin=origin,
            documents=documents,
            descriptor=descriptor,
            answers=project.answers,
            accepted=project.accepted,
        ).reference.digest
