"""The status of an instance in the Prometheus text format, for node_exporter's textfile collector. Pure.

Base units and UNIX times, as Prometheus wants them: an alert rule computes ages itself, so that they grow between
two runs of the command that writes the file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sealift import __version__
from sealift.drop_folder.files import FolderState
from sealift.errors import Error
from sealift.status.status import Status
from sealift.store.contents.history import Entry, time_of

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(frozen=True)
class Metric:
    """One metric; `name` without the prefix `sealift_`, `kind` as Prometheus names it."""

    name: str
    help: str
    samples: tuple[Sample, ...]
    kind: str = "gauge"

    def text(self) -> str:
        """Write it with its HELP and TYPE; nothing where it has no samples."""
        if not self.samples:
            return ""
        name = f"sealift_{self.name}"
        lines = [f"# HELP {name} {_escape(self.help)}", f"# TYPE {name} {self.kind}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in self.samples]
        return "\n".join(lines) + "\n"


def render(status: Status | None, error: Error | None, folder: FolderState | None) -> str:
    """Return the file's text.

    Args:
        status: None when nothing could be found out.
        error: why not, or what the next install would stumble over; None when all is well.
        folder: the drop folder, or None where none is watched.
    """
    up = _one("up", "Whether the store is usable; `code` is the word of the error.", 0 if error else 1)
    if error is not None:
        up = Metric(up.name, up.help, (({"code": error.code, "exit_code": str(error.exit_code)}, 0),))
    metrics = [Metric("build_info", "Version of Sealift.", (({"version": __version__}, 1),)), up]
    metrics += _status(status) if status is not None else ()
    metrics += _folder(folder) if folder is not None else ()
    return "".join(metric.text() for metric in metrics)


def _status(status: Status) -> Iterable[Metric]:
    release, generation = status.release, status.generation
    yield Metric(
        "bundle_number", "Number of the newest bundle installed.", (({"channel": release.channel}, release.number),)
    )
    yield _one(
        "bundle_release_timestamp_seconds",
        "Signed release time of the newest bundle installed.",
        release.released.timestamp(),
    )
    yield _one(
        "bundle_age_seconds",
        "Age of the newest bundle installed when this was written.",
        (status.time - release.released).total_seconds(),
    )
    yield _one("generation", "Number of the active generation.", generation.number)
    yield _one("generation_bundle_number", "Bundle that the active generation was made from.", generation.release)
    yield Metric(
        "model_info",
        "Active model versions; `digest` is that of the manifest, empty for a withdrawn one.",
        tuple(
            ({"name": name, "version": str(model.version), "digest": status.digests[name]}, 1)
            for name, model in sorted(generation.models.items())
        ),
    )
    yield _one("active_models", "Number of active models.", len(generation.models))
    yield _one(
        "differing_models",
        "Models whose active version is not the newest of the newest bundle installed.",
        len(status.differing),
    )
    yield _one("withdrawn_active_models", "Active model versions that are withdrawn.", len(status.withdrawn))
    yield Metric(
        "metadata_expiry_timestamp_seconds",
        "When the installed metadata expires; expiry blocks installing, never loading.",
        tuple(({"role": role}, when.timestamp()) for role, when in sorted(status.expires.items())),
    )
    changes = {"install": status.last_install, "rollback": status.last_rollback}
    yield Metric(
        "last_change_timestamp_seconds",
        "When the store was last changed, by kind of change.",
        tuple(({"action": action}, seconds) for action, entry in changes.items() for seconds in _seconds(entry)),
    )
    behind = (status.floor_time - status.now).total_seconds() if status.floor_time else 0.0
    yield _one("clock_behind_seconds", "How far the clock is behind a time known to have passed.", max(behind, 0.0))
    yield _one("store_size_bytes", "Size of all files of the store.", status.store_bytes)
    yield _one("store_free_bytes", "Free space on the store's file system.", status.free_bytes)


def _folder(folder: FolderState) -> Iterable[Metric]:
    yield _one("watch_up", "Whether the drop folder can be read.", folder.readable)
    if not folder.readable:
        return
    yield _one("watch_waiting_files", "Bundles in the drop folder that are not dealt with yet.", folder.waiting)
    yield _one(
        "watch_oldest_waiting_timestamp_seconds",
        "Last change of the bundle that has waited longest in the drop folder; 0 when none waits.",
        folder.oldest.timestamp() if folder.oldest else 0,
    )
    yield _one("watch_installed_files", "Bundles in the drop folder's done/.", folder.done)
    yield _one("watch_refused_files", "Bundles in the drop folder's refused/.", folder.refused)
    last = folder.last_refusal
    yield Metric(
        "watch_last_refusal_timestamp_seconds",
        "When a bundle of the drop folder was last refused, and why; exit codes 20 to 29 mean: do not use this file.",
        (({"code": last.code, "exit_code": str(last.exit_code)}, last.time.timestamp()),) if last else (),
    )


def _one(name: str, says: str, value: float) -> Metric:
    return Metric(name, says, (({}, value),))


def _seconds(entry: Entry | None) -> list[float]:
    time = time_of(entry) if entry is not None else None
    return [] if time is None else [time.timestamp()]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value, quotes=True)}"' for name, value in labels.items()) + "}"


def _escape(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
