"""The project's TOML: which model, of which events, searched, judged and retrained how.

    format = 1
    name = "triage"
    kind = "issue"
    code = "triage.py"
    lock = "requirements.lock"
    channel = "../channel"

`docs/reference/formats/training.md` describes the file. Paths are relative to the folder that holds it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealift.registry.address import has_scheme
from sealift_bundler.disclosure.judgement import Acceptance
from sealift_bundler.review.answers import read_acceptances
from sealift_common.errors import UsageError
from sealift_common.names import ModelVersion
from sealift_common.parsing.strict_toml import StrictToml, read_text
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.gate.judging import BETTER, RULES
from sealift_pipeline.gate.metrics import ACCURACY, SCORERS, TITLES
from sealift_pipeline.runs.document import digest

FORMAT = 1
_TEXTS = ("name", "kind", "code", "lock", "channel", "first_version", "title", "description")
# Files that travel, or decide what does.
_TRAVEL = ("answers", "card", "golden")
_LISTS = ("authors", "licenses")
_SECTIONS = {
    "split": ("validation", "test"),
    "search": ("metric", "trials", "batch", "seed"),
    "gate": ("rule", "metric", "margin", "slices", "champion"),
    "retrain": ("new_rows", "psi", "ks", "unseen_words", "labels"),
}
_REQUIRED = ("name", "kind", "code", "lock")
_CHAMPION = ("version", "registry", "root", "ca_file", "plain_http")
_MOST_TRIALS, _MOST_BATCH = 10_000, 256


@dataclass(frozen=True)
class Search:
    """How parameters are searched.

    Attributes:
        metric: name of a scorer of scikit-learn; more is better. Without one, that of the gate's metric.
        trials: how many sets of parameters are tried.
        batch: how many are asked for before the first is told; as many workers have work at once.
        seed: of the search and of each model.
    """

    metric: str = "accuracy"
    trials: int = 20
    batch: int = 4
    seed: int = 1


@dataclass(frozen=True)
class Registry:
    """A registry that has the releases of a channel.

    Attributes:
        address: of a release, as for `sealift install`: oci://…, gitlab://… or a bundle.
        root: the root of the channel, as an instance pins it.
        ca_file: certificates to trust besides the system's.
        plain_http: whether another machine may be asked without TLS.
    """

    address: str
    root: Path
    ca_file: Path | None = None
    plain_http: bool = False


@dataclass(frozen=True)
class Gate:
    """What a challenger has to show; see `sealift_pipeline.gate.judging`.

    Attributes:
        metric: what is compared; see `sealift_pipeline.gate.metrics`.
        slices: columns of the frame, or `label`.
        champion: version to compare with; empty for the newest that is released.
        registry: where the champion is released; None for the project's own channel.
    """

    rule: str = BETTER
    metric: str = ACCURACY
    margin: float = 0.01
    slices: tuple[str, ...] = ()
    champion: str = ""
    registry: Registry | None = None


@dataclass(frozen=True)
class Need:
    """When `--if-needed` trains: any of these is reached; see `sealift_pipeline.training.drift`.

    Attributes:
        new_rows: that were landed since the champion's data snapshot.
        psi: population stability index of a column.
        ks: largest distance of the distributions of a column of numbers, 0 to 1.
        unseen_words: share of words that the champion never saw, above that of its own rows.
        labels: distance of the shares of labels, 0 to 1.
    """

    new_rows: int = 1_000
    psi: float = 0.25
    ks: float = 0.15
    unseen_words: float = 0.1
    labels: float = 0.1


@dataclass(frozen=True)
class Project:
    """A project's settings.

    Attributes:
        path: the TOML file.
        digest: of its bytes, and those of the files that it names and that travel.
        kind: of the events that it learns from.
        code: the Python file.
        lock: the lock file of its environment.
        channel: folder of the channel; None where the champion's copy takes its place.
        first_version: of the first version.
        answers: the author's answers, where the channel asks for them.
        card: side file for people, travels as `CARD.md`.
        golden: rows that travel as golden examples; None for generated ones.
        accepted: findings of the disclosure scan that may leave.
    """

    path: Path
    digest: str
    name: str
    kind: str
    code: Path
    lock: Path
    channel: Path | None = None
    first_version: str = "1.0.0"
    title: str = ""
    description: str = ""
    authors: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    answers: Path | None = None
    card: Path | None = None
    golden: Path | None = None
    validation: float = 0.1
    test: float = 0.2
    search: Search = field(default_factory=Search)
    gate: Gate = field(default_factory=Gate)
    need: Need = field(default_factory=Need)
    accepted: tuple[Acceptance, ...] = ()

    @classmethod
    def load(cls, path: Path) -> "Project":
        """Read a project's TOML.

        Raises:
            ProjectError: the file is missing, or has an unknown key or a wrong value; the message has its line.
            UnsupportedVersionError: it is of a newer format.
        """
        text = read_text(path, "project", ProjectError)
        toml = StrictToml(text, name=path.name, what="project", error=ProjectError)
        toml.require_format(FORMAT)
        toml.check_keys(toml.document, ("format", *_TEXTS, *_TRAVEL, *_LISTS, *_SECTIONS, "accepted"))
        for section, keys in _SECTIONS.items():
            toml.check_keys(toml.table(section), keys, section)
        return _project(path, text, toml)


def _project(path: Path, text: str, toml: StrictToml) -> Project:
    gate = _gate(path, toml)
    for key in (*_REQUIRED, *(("channel",) if gate.registry is None else ())):
        if key not in toml.document:
            raise ProjectError(f"{path.name} lacks {key!r}; add a line such as {key} = …")
    texts = {key: _text(toml, key) for key in (*_TEXTS, *_TRAVEL) if key in toml.document}
    try:
        ModelVersion.parse(texts["name"], texts.get("first_version", "1.0.0"))
    except UsageError as error:
        raise toml.error("first_version" if "version" in str(error) else "name", str(error)) from None
    files: dict[str, Path] = {
        key: path.parent / texts.pop(key)
        for key in ("code", "lock", "channel", "answers", "card", "golden")
        if key in texts
    }
    for key, file in files.items():
        if key != "channel" and not os.path.isfile(file):
            raise toml.error(key, f"{key!r} names {str(file)!r}, which is not a file; correct the path")
    validation, test = (_number(toml, "split", key, getattr(Project, key), below=1.0) for key in ("validation", "test"))
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise toml.error(
            "test", f"validation {validation} and test {test} leave no rows; expected shares above 0", "split"
        )
    plain: dict[str, Any] = {key: _list(toml, "", key) for key in _LISTS}
    plain.update(texts)
    plain.update(files)
    return Project(
        path=path,
        digest=_digest(text, [files[key] for key in _TRAVEL if key in files]),
        **plain,
        validation=validation,
        test=test,
        search=_search(toml, gate.metric),
        gate=gate,
        need=Need(
            new_rows=_whole(toml, "retrain", "new_rows", Need.new_rows, (1, 2**40)),
            **{
                key: _number(toml, "retrain", key, getattr(Need, key))
                for key in ("psi", "ks", "unseen_words", "labels")
            },
        ),
        accepted=tuple(read_acceptances(toml)),
    )


def _digest(text: str, travel: Sequence[Path]) -> str:
    digests = [digest(text.encode("utf-8")), *(digest(path.read_bytes()) for path in travel)]
    return digests[0] if len(digests) == 1 else digest("\n".join(digests).encode("ascii"))


def _search(toml: StrictToml, gate_metric: str) -> Search:
    metric = toml.table("search").get("metric", SCORERS[gate_metric])
    if not isinstance(metric, str) or not metric.isidentifier():
        raise toml.error("metric", f"'metric' is {metric!r:.80}; expected a scorer such as 'accuracy'", "search")
    return Search(
        metric,
        _whole(toml, "search", "trials", Search.trials, (1, _MOST_TRIALS)),
        _whole(toml, "search", "batch", Search.batch, (1, _MOST_BATCH)),
        _whole(toml, "search", "seed", Search.seed, (0, 2**32 - 1)),
    )


def _gate(path: Path, toml: StrictToml) -> Gate:
    table = toml.table("gate")
    rule, champion = table.get("rule", Gate.rule), table.get("champion", "")
    if rule not in RULES:
        raise toml.error("rule", f"'rule' is {rule!r:.80}; expected one of: {', '.join(RULES)}", "gate")
    metric = table.get("metric", Gate.metric)
    if metric not in TITLES:
        raise toml.error("metric", f"'metric' is {metric!r:.80}; expected one of: {', '.join(TITLES)}", "gate")
    registry = None
    if isinstance(champion, dict):
        registry = _registry(path.parent, champion, toml)
        champion = champion.get("version", "")
    if not isinstance(champion, str):
        raise toml.error("champion", f"'champion' is {champion!r:.80}; expected a version such as '1.0.0'", "gate")
    margin = _number(toml, "gate", "margin", Gate.margin, below=0.5)
    return Gate(rule, metric, margin, _list(toml, "gate", "slices"), champion, registry)


def _registry(folder: Path, given: dict[str, Any], toml: StrictToml) -> Registry | None:
    section = "gate.champion"
    toml.check_keys(given, _CHAMPION, section)
    texts = [given.get(key, "") for key in ("registry", "root", "ca_file")]
    plain_http = given.get("plain_http", False)
    if not all(isinstance(one, str) for one in texts) or not isinstance(plain_http, bool):
        raise toml.error("champion", f"'champion' is {given!r:.120}; expected texts, and true or false", "gate")
    address, root, ca_file = texts
    if not address:
        if root or ca_file or plain_http:
            raise toml.error("champion", "'champion' lacks 'registry', an address as for `sealift install`", "gate")
        return None
    if not root:
        raise toml.error("registry", "'registry' lacks 'root': the file of the channel's root to trust", section)
    place = address if has_scheme(address) else str(folder / address)
    return Registry(place, folder / root, folder / ca_file if ca_file else None, plain_http)


def _text(toml: StrictToml, key: str) -> str:
    value = toml.document[key]
    if not isinstance(value, str) or not value.strip():
        raise toml.error(key, f"{key!r} is {value!r:.80}; expected a text that is not empty")
    return value


def _list(toml: StrictToml, section: str, key: str) -> tuple[str, ...]:
    table = toml.table(section) if section else toml.document
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise toml.error(key, f"{key!r} is {value!r:.80}; expected a list of texts", section)
    return tuple(value)


def _whole(toml: StrictToml, section: str, key: str, default: int, span: tuple[int, int]) -> int:
    value = toml.table(section).get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not span[0] <= value <= span[1]:
        raise toml.error(
            key, f"{key!r} is {value!r:.80}; expected a whole number from {span[0]} to {span[1]:,}", section
        )
    return value


def _number(toml: StrictToml, section: str, key: str, default: float, *, below: float = 1e9) -> float:
    value = toml.table(section).get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
        raise toml.error(key, f"{key!r} is {value!r:.80}; expected a number from 0 to below {below:g}", section)
    return float(value)
