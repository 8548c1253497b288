"""One case: a pipeline, a container and a dtype, drawn from a seed and fitted."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hunt import data, pipelines
from hunt.boundaries import boundaries
from hunt.containers import CONTAINERS, SPARSE, TABLES, fitting
from hunt.kinds import ANY, KINDS, Kind

_ATTEMPTS = 40
_EACH_OF_OTHERS = 400
_ZEROS = 0.2
# In which all columns of a row are moved by a few bits, besides each of them alone.
_WAYS = 6
EVERY_KIND = "all kinds of"


@dataclass
class Form:
    """Rows of one kind in one container and dtype; `rows` gives those at the given places."""

    name: str
    kind: str
    count: int
    rows: Callable[[Any], Any]
    # Whether this is the very container and dtype that the model is proven on.
    proven: bool
    # The rows at the given places, moved by a few bits; only where a pipeline may fall otherwise on a boundary.
    moved: Callable[[Any], list[Any]] | None = None


@dataclass
class Case:
    """A fitted original, the samples to convert it with, and the unseen rows to compare on."""

    seed: int
    name: str
    original: Any
    samples: Any
    forms: list[Form]

    @property
    def methods(self) -> list[str]:
        """The methods that the original answers."""
        return [name for name in ("predict", "predict_proba", "decision_function") if hasattr(self.original, name)]


def drawn(seed: int, kind: str = ANY) -> Case:
    """Draw the case of a seed; what an original cannot be fitted on is drawn again."""
    of = KINDS[kind]
    for attempt in range(_ATTEMPTS):
        generator = np.random.default_rng([seed, attempt, of.number] if of.number else [seed, attempt])
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                if generator.random() < of.tables:
                    return _of_table(seed, generator)
                return _of_numbers(seed, generator, of)
            except Exception:  # noqa: BLE001, S112 - of any library: this original does not take these rows
                continue
    raise RuntimeError(f"seed {seed}: nothing could be fitted in {_ATTEMPTS} attempts")


def _of_numbers(seed: int, generator: np.random.Generator, of: Kind) -> Case:
    dtype = of.dtype(generator)
    container = str(generator.choice([*of.containers]))
    # A step that takes no number of zero cannot be fitted on mostly zeros.
    zeros = of.zeros if of.zeros is not None else container in SPARSE or generator.random() < _ZEROS
    kinds, rows = data.numbers(generator, dtype, of.columns, zeros=zeros)
    regression = bool(generator.random() < 0.5)
    models = pipelines.REGRESSORS if regression else pipelines.CLASSIFIERS
    steps, model = pipelines.any_names(generator, models) if of.steps is None else of.pipeline(generator, models)
    names = [*steps, model]
    name, original = pipelines.made(steps, model, models)
    answers = data.targets(generator, rows, regression=regression)
    if rows.dtype.kind == "f" and generator.random() < 0.3:
        rows = data.with_missing(generator, rows)
    # Some are trained on plain arrays, and meet their container only afterwards.
    trained = "ndarray" if generator.random() < 0.2 else container
    wrap = CONTAINERS[container]
    original.fit(CONTAINERS[trained](rows[: data.TRAINED]), answers[: data.TRAINED])
    samples = wrap(rows[data.TRAINED : data.TRAINED + data.SAMPLES])
    original.predict(samples)

    def ask(probe: Any) -> Any:
        return np.asarray(original.predict(wrap(probe))).ravel()

    unseen = rows[-data.UNSEEN :]
    part = len(unseen) // 5
    try:
        edges = boundaries(ask, unseen[~np.isnan(unseen.astype(np.float64)).any(axis=1)], generator, part)
    except Exception:  # noqa: BLE001 - as above, and some of these rows may be refused
        edges = unseen[:part]
    groups = data.odd(generator, unseen, edges)
    if of.positive_first:
        groups = {name: group[np.argsort(-np.nan_to_num(group).min(axis=1))] for name, group in groups.items()}
    sparse = container in SPARSE
    inexact = pipelines.is_inexact(names, sparse=sparse)
    forms = [_form(container, dtype, kind, group, proven=True, inexact=inexact) for kind, group in groups.items()]
    for other, cast in _others(generator, container, dtype):
        some = np.concatenate([group[generator.permutation(len(group))[:_EACH_OF_OTHERS]] for group in groups.values()])
        # Ordinary rows stay in front, and tell whether the original takes the form; odd ones come by size.
        size = np.abs(some[_EACH_OF_OTHERS:].astype(np.float64)).max(axis=1)  # NaN where one is missing
        some[_EACH_OF_OTHERS:] = some[_EACH_OF_OTHERS:][np.argsort(size, kind="stable")]
        cast_rows = fitting(some.astype(np.float64), cast)
        forms.append(_form(other, cast, EVERY_KIND, cast_rows, proven=False, inexact=inexact))
    shown = f"{name} on {container} of {dtype} ({', '.join(kinds)}), trained on {trained}"
    return Case(seed, shown, original, samples, forms)


def _others(generator: np.random.Generator, container: str, dtype: str) -> list[tuple[str, str]]:
    """Draw three forms in which the same numbers may come when they are served."""
    common = ["float64", "int64", "float32", "int32"]
    return [
        (str(generator.choice([*CONTAINERS])), dtype),
        (container, str(generator.choice(common))),
        (str(generator.choice([*CONTAINERS])), str(generator.choice([*common, "bool", "uint8"]))),
    ]


def _form(container: str, dtype: str, kind: str, rows: Any, *, proven: bool, inexact: bool) -> Form:
    wrap = CONTAINERS[container]
    moved = None
    if inexact and kind in ("boundaries", EVERY_KIND) and rows.dtype.kind == "f":
        alone = np.eye(rows.shape[1])
        signs = [*alone, *-alone, *np.random.default_rng(0).choice([-1, 1], (_WAYS, rows.shape[1]))]
        steps = [sign * bits * np.finfo(rows.dtype).eps for bits in (1, 16, 256, 4096) for sign in signs]

        def moved(places: Any) -> list[Any]:
            return [wrap((rows[places] * (1 + step)).astype(rows.dtype)) for step in steps]

    return Form(f"{container} of {dtype}", kind, len(rows), lambda places: wrap(rows[places]), proven, moved)


def _of_table(seed: int, generator: np.random.Generator) -> Case:
    frame = data.table(generator)
    numeric = [name for name in frame if name.startswith("n")]
    texts = [name for name in frame if name.startswith("t")]
    regression = bool(generator.random() < 0.5)
    answers = data.targets(generator, np.stack([frame[name].rank() for name in frame], axis=1), regression=regression)
    name, original = pipelines.drawn_of_table(generator, numeric, texts, regression=regression)
    container = str(generator.choice(["frame", "frame", "objects", "nullable", "arrow", "polars"]))
    wrap = TABLES[container]
    trained = "frame" if container in ("arrow", "polars") and generator.random() < 0.5 else container
    original.fit(TABLES[trained](frame.iloc[: data.TRAINED]), answers[: data.TRAINED])
    samples = wrap(frame.iloc[data.TRAINED : data.TRAINED + data.SAMPLES].reset_index(drop=True))
    original.predict(samples)
    groups = _odd_of_table(generator, frame.iloc[-data.UNSEEN :].reset_index(drop=True), numeric, texts)
    forms = [_table_form(container, kind, group, proven=True) for kind, group in groups.items()]
    for other in generator.choice([*TABLES], size=2):
        for kind, group in groups.items():
            part = group.iloc[:: len(group) // _EACH_OF_OTHERS].reset_index(drop=True)
            forms.append(_table_form(str(other), kind, part, proven=False))
    dtypes = ", ".join(str(frame[column].dtype) for column in numeric)
    shown = f"{name} on a table ({container}; {dtypes}; {len(texts)} texts), trained on {trained}"
    return Case(seed, shown, original, samples, forms)


def _table_form(container: str, kind: str, frame: Any, *, proven: bool) -> Form:
    wrap = TABLES[container]
    name = f"table as {container}"
    return Form(name, kind, len(frame), lambda places: wrap(frame.iloc[places].reset_index(drop=True)), proven)


def _odd_of_table(generator: np.random.Generator, frame: Any, numeric: list[str], texts: list[str]) -> dict[str, Any]:
    part = len(frame) // 5
    parts = [frame.iloc[index * part : (index + 1) * part].reset_index(drop=True) for index in range(5)]
    unseen = parts[2].assign(**{texts[0]: generator.choice([*data.CITIES, "unseen ж", ""], part)})
    groups = {"ordinary": parts[0], "unseen categories": unseen}
    for kind, rows in (("exact numbers", parts[1]), ("magnitudes", parts[3])):
        column = str(generator.choice(numeric))
        array = rows[[column]].to_numpy()
        odd = data.replaced(generator, array, kind)[:, 0]
        order = np.argsort(np.abs(odd.astype(np.float64)), kind="stable")
        groups[kind] = rows.assign(**{column: odd}).iloc[order].reset_index(drop=True)
    missing = parts[4].copy()
    floats = [name for name in numeric if missing[name].dtype.kind == "f"]
    for name in floats:
        missing.loc[generator.random(part) < 0.1, name] = np.nan
    order = np.argsort(missing.isna().any(axis=1).to_numpy(), kind="stable")
    groups["missing" if floats else "more"] = missing.iloc[order].reset_index(drop=True)
    return groups
