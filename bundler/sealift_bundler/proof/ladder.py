"""The ladder: try the ways to convert in order, and keep the first that proves itself."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sealift.errors import Error
from sealift.model.documents.description import (
    FILE_NAME,
    FRONTEND_FILE,
    GOLDEN_FILE,
    GRAPH_FILE,
    ModelDescription,
    Requirements,
    Tolerance,
)
from sealift.model.documents.file_set import check_file_set
from sealift.model.model import Model
from sealift.model.trial.replay import replay
from sealift_bundler.converters import (
    Answers,
    Candidate,
    Converter,
    NeedsLaterRung,
    NeverConverts,
    Original,
    Rung,
    UnknownStep,
    find_converter,
)
from sealift_bundler.converters.asking import ask
from sealift_bundler.converters.encoders.settings import TextFrontend
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.converters.graph import text_locales
from sealift_bundler.converters.libraries import as_estimator
from sealift_bundler.converters.refused import check_takes_rows
from sealift_bundler.disclosure import withheld
from sealift_bundler.errors import ConversionError, DisclosureWarning, ParityError, SourceError
from sealift_bundler.proof.blame import explained
from sealift_bundler.proof.conversion import Conversion, Order
from sealift_bundler.proof.documents import frontend_json, model_json, with_schema
from sealift_bundler.proof.edges import MISSING, REFUSABLE, UNSEEN, EdgeRows, edge_rows
from sealift_bundler.proof.golden.making import ExampleMaker
from sealift_bundler.proof.in_child import ChildLimits, convert_in_child
from sealift_bundler.proof.parity import DEFAULT_TOLERANCE, UNCHANGED, Parity, prove
from sealift_bundler.proof.probing import probe_model, read_holdout
from sealift_bundler.proof.progress import say
from sealift_bundler.proof.refusal import refusal_document
from sealift_bundler.samples.files import read_samples
from sealift_bundler.samples.generated.hard_texts import HARD_TEXTS
from sealift_bundler.samples.interfaces import Samples
from sealift_bundler.source.modules import check_modules, import_modules
from sealift_bundler.source.trusted_globals import check_trusted_globals
from sealift_common.names import ModelVersion

Attempts = list[dict[str, str]]

# How many times smaller than the tolerance float32's largest error must be, to be kept without trying float64.
_HEADROOM = 10.0


def convert(
    model: Any,
    samples: Any,
    *,
    name: str = "model",
    version: str = "0.0.0",
    tolerance: Tolerance | None = None,
    limits: ChildLimits | None = None,
    imports: Sequence[str] = (),
    golden: Any = None,
    holdout: Any = None,
    probe: bool = False,
    trust_globals: Sequence[str] = (),
    frontend: TextFrontend | None = None,
) -> Conversion:
    """Convert a trained model to ONNX and prove that its answers did not change.

    Args:
        model: A fitted estimator, or the path of a `.joblib`, `.pkl`, `.pickle` or `.onnx` file. A pickle is opened
            in a child process, with limits of time and memory, and may use classes and functions of known libraries
            only.
        samples: Rows as the model takes them, or the path of a file of them. The more rows, the stronger
            the proof.
        name: The model's name.
        version: The model's version, SemVer.
        tolerance: How far a score may be off; None means 1e-5, absolute and relative.
        limits: Of the child process that opens a file; None means the defaults.
        imports: Modules to import first, by dotted name: they register converters of your own estimators with
            skl2onnx. They are imported where the model is opened, so for a file in the child process.
        golden: Rows that travel as golden examples: "generated" makes some, "samples" takes some of the samples,
            anything else is rows, or the path of a file of them. None means generated rows where texts would travel
            otherwise, and samples elsewhere; `Conversion.golden` says what it came to.
        holdout: Rows that the model was not trained on, or the path of a file of them, to probe whether its
            confidence tells them from the samples. None leaves that out.
        probe: Whether to probe the converted model for `Conversion.probe`; a `holdout` is always probed.
        trust_globals: Classes and functions of your own that a pickle may use, by full name, for example
            `our.steps.Clipped`. The pickle may call them with any arguments. A model in memory needs none.
        frontend: The tokenizer of a graph that takes tokens, and what is made of its answers; the samples are texts
            then, or a table or dict of "text" and the answers of the original library.

    Warns:
        DisclosureWarning: the files hold a secret or personal data: `Conversion.findings` lists each, and
            `sealift-bundler add` refuses them.

    Raises:
        UntrustedPickleError: a pickle asks for something that is neither of a known library nor trusted.
        SourceError: the model or the samples cannot be read, or do not fit each other.
        ConversionError: no rung can convert the model; the message names the step.
        ParityError: a rung converted it, and the answers differ.
        UsageError: the name, the version, the name of a module or a name to trust is not allowed.
    """
    ModelVersion.parse(name, version)
    check_modules(imports)
    check_trusted_globals(trust_globals)
    order = Order(
        name,
        version,
        tolerance or DEFAULT_TOLERANCE,
        tuple(imports),
        golden=golden,
        probe=probe or holdout is not None,
        holdout=holdout,
        trust_globals=tuple(trust_globals),
        frontend=frontend,
    )
    if isinstance(model, str | Path):
        return _warned(convert_in_child(Path(model), samples, order, limits))
    import_modules(order.imports)
    if isinstance(samples, str | Path):
        samples = read_samples(Path(samples), model)
    return _warned(convert_object(model, samples, order))


def _warned(conversion: Conversion) -> Conversion:
    for finding in conversion.findings:
        warnings.warn(f"the conversion discloses {finding.line()}", DisclosureWarning, stacklevel=3)
    return conversion


def convert_object(model: Any, rows: Any, order: Order) -> Conversion:
    """Convert a model that is in memory; see `convert`."""
    model = as_estimator(model)
    if order.frontend is not None:
        model, rows = TextEncoder.of(model, order.frontend).with_rows(rows)
    converter = find_converter(model)
    if converter is None:
        raise SourceError(
            f"no converter knows a {type(model).__module__}.{type(model).__qualname__}; "
            "expected a fitted scikit-learn estimator or an .onnx file"
        )
    check_takes_rows(model)
    say("asking the original")
    samples, original, expected = ask(converter, model, rows)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # about rows that are not the caller's
        edges = edge_rows(samples, original, HARD_TEXTS if order.frontend else ())
    maker = ExampleMaker(converter, model, samples, original, expected, order)
    holdout = read_holdout(order.holdout, model, samples)
    conversion = _climb(converter, model, samples, original, expected, edges, maker, order)
    if not order.probe:
        return conversion
    say("probing the converted model")
    return replace(conversion, probe=probe_model(conversion.open(), samples, holdout))


def _climb(
    converter: Converter,
    model: Any,
    samples: Samples,
    original: Original,
    expected: Answers,
    edges: Sequence[EdgeRows],
    maker: ExampleMaker,
    order: Order,
) -> Conversion:
    attempts: Attempts = []
    failures: list[Parity] = []
    reason = "no rung"
    spare: Conversion | None = None
    unknown = False
    for rung in converter.rungs(model, samples):
        if rung.for_unknown_steps != unknown:
            continue
        say(f"rung {rung.name!r}: converting")
        try:
            candidate = _build(rung)
            golden = maker.examples(candidate)
            opened = Model.from_files(_files(candidate, original, rung.name, attempts, None, maker, order))
        except NeverConverts as error:
            attempts.append({"rung": rung.name, "outcome": str(error)})
            reason = str(error)
            break
        except (NeedsLaterRung, UnknownStep, Error) as error:
            attempts.append({"rung": rung.name, "outcome": str(error)})
            # The last rung is the most capable one, so its reason is the one to act on.
            reason = f"{rung.name}: {error}"
            unknown = unknown or isinstance(error, UnknownStep)
            continue
        say(f"rung {rung.name!r}: comparing {_count(expected, edges):,} rows")
        parity = prove(opened, samples, expected, [*edges, *golden.proof], order.tolerance, original.reference)
        parity.compared = original.compared
        if parity.passed:
            replay(opened, golden.document)
            attempts.append({"rung": rung.name, "outcome": "proven" if parity.compared else UNCHANGED})
            files = _files(candidate, original, rung.name, attempts, parity, maker, order)
            check_file_set(ModelDescription.parse(files[FILE_NAME]), files, order.name)
            if not rung.narrow or (parity.headroom >= _HEADROOM and parity.far_agree):
                return Conversion(files, golden.golden)
            # Rows that nobody compared may be worse than those that were: a wider rung is better, if there is one.
            why = "without much room" if parity.far_agree else "but not far from the samples"
            attempts[-1]["outcome"] = f"agrees, {why}: {parity.summary()}"
            spare = spare or Conversion(files, golden.golden)
            continue
        attempts.append({"rung": rung.name, "outcome": parity.outcome()})
        failures.append(parity)
    if spare is not None:
        return spare
    refused = next((kinds for parity in failures if (kinds := parity.failing_kinds()) <= REFUSABLE and kinds), set())
    forbid = {MISSING: samples.forbid_missing, UNSEEN: samples.forbid_unseen}
    forbidden = {kind: forbid[kind]() for kind in sorted(refused)}
    if refused and all(forbidden.values()):
        # The only rows that differ are ours, with missing values or categories in columns where the caller's own
        # rows never have them: the loader refuses such values, and everything else is proven again.
        kept = [
            left for edge in edges if (left := edge.without(forbidden[edge.kind]) if edge.kind in refused else edge)
        ]
        return _climb(converter, model, samples, original, expected, kept, maker, order)
    if failures:
        raise ParityError(
            _disagreement(converter, model, samples, failures[-1], attempts, order),
            refusal_document(order, original, failures[-1], attempts),
        )
    raise ConversionError(f"model {order.name!r} cannot be converted: {reason}")


def _count(expected: Answers, edges: Sequence[EdgeRows]) -> int:
    """Count the rows that are compared; an answer without dimensions is of one."""
    return sum(
        np.atleast_1d(next(iter(answers.values()))).shape[0]
        for answers in (expected, *(edge.answers for edge in edges))
    )


def _build(rung: Rung) -> Candidate:
    try:
        return rung.build()
    except (NeverConverts, NeedsLaterRung, UnknownStep, Error):
        raise
    except Exception as error:
        # Converters may be plug-ins, and meet estimators of classes that they have never seen.
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(f"the converter fails with {type(error).__name__}: {reason}") from error


def _disagreement(
    converter: Converter, model: Any, samples: Samples, parity: Parity, attempts: Attempts, order: Order
) -> str:
    tried = ", ".join(attempt["rung"] for attempt in attempts)
    what = f"the converted {type(model).__name__} does not answer as the original: {parity.summary()}. "
    worst = "; ".join(withheld(row.shown()) for row in parity.worst[:3] if row.share > 1)
    help_ = explained(converter, model, samples, parity, order.tolerance)
    return f"{what}{f'Worst: {worst}. ' if worst else ''}Rungs tried: {tried}. {help_}"


def _files(
    candidate: Candidate,
    original: Original,
    rung: str,
    attempts: Attempts,
    parity: Parity | None,
    maker: ExampleMaker,
    order: Order,
) -> dict[str, bytes]:
    report: Mapping[str, Any] = {} if parity is None else parity.document(values=maker.from_samples)
    examples = maker.examples(candidate)
    description = ModelDescription(
        name=order.name,
        version=order.version,
        task=original.task,
        interface=candidate.interface,
        inputs=candidate.inputs,
        outputs=candidate.outputs,
        classes=candidate.classes,
        requires=Requirements(
            candidate.onnxruntime, candidate.ir_version, candidate.opsets, locales=text_locales(candidate.graph)
        ),
        tolerance=order.tolerance,
        rung=rung,
        source={**original.source, **({"reads": dict(candidate.reads)} if candidate.reads else {})},
        conversion={"rung": rung, "attempts": list(attempts), "golden": examples.golden.source}
        | ({"imports": list(order.imports)} if order.imports else {})
        | ({"trust_globals": list(order.trust_globals)} if order.trust_globals else {})
        | ({"finite": True} if parity is not None and parity.finite and original.methods else {}),
        parity=report,
    )
    files = {
        GRAPH_FILE: candidate.graph,
        FILE_NAME: model_json(description),
        GOLDEN_FILE: examples.document,
        **candidate.files,
    }
    if candidate.frontend is not None:
        files[FRONTEND_FILE] = frontend_json(candidate.frontend)
    return with_schema(files)
