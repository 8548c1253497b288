"""A recipe and a model card to begin with, written from what a conversion found out about the model. Pure."""

import json
from collections.abc import Iterator, Sequence

from sealift.model.documents.description import ModelDescription
from sealift_common.console import plain
from sealift_common.names import ModelVersion
from sealift_common.wording import counted

_ANSWERS = {
    "predict": "the label, or the value",
    "predict_proba": "a probability for each class, in the order of the classes",
    "decision_function": "a score for each class, or one that is positive for the second class",
    "transform": "numbers for each row, such as an embedding",
}
_MOST = 40


def recipe(
    model: ModelVersion,
    *,
    source: str,
    samples: str,
    card_file: str,
    golden: str = "",
    trust_globals: Sequence[str] = (),
) -> str:
    """Return a recipe in which every key that may be needed stands, those that are not set behind a #.

    Args:
        model: name and version.
        source: path of the trained model, relative to the recipe.
        samples: path of the rows, likewise.
        card_file: path of the model card, likewise.
        golden: whose rows travel where the recipe does not say, for the comment.
        trust_globals: names that the model's pickle needs.
    """
    trusted = (
        f"trust_globals = {_toml(list(trust_globals))}" if trust_globals else '# trust_globals = ["our.steps.Own"]'
    )
    unsaid = f" Without it: {golden}." if golden else ""
    return f"""\
# What to release; paths are relative to this file. All keys: docs/reference/formats/recipe.md
name = {_toml(model.name)}
version = {_toml(str(model.version))}            # a released version never changes: give changed bytes a new one
source = {_toml(source)}
samples = {_toml(samples)}            # rows that the original and the converted model must agree on

# Rows that travel as golden examples: "generated", "samples", or a file of rows.{unsaid}
# golden = "generated"
# holdout = "unseen.csv"       # rows of no training, to probe what the model remembers; they go nowhere

# For people, in the manifest.
title = {_toml(model.name)}
# description = "One sentence about what it is for."
# authors = ["Team"]
licenses = []                  # SPDX, for example ["MIT"]; a release without a license is of little use
# license_file = "LICENSE"
card = {_toml(card_file)}
# review = "review.toml"       # answers for reviewers: sealift-bundler review new {model.name}

# Classes and functions of your own that the pickle may use.
{trusted}

# [parity]                     # how far scores may be from the original's
# atol = 1e-5
# rtol = 1e-5
"""


def card(described: ModelDescription) -> str:
    """Return a model card of what is known; what only people know is marked TODO."""
    return "\n".join(_card(described)) + "\n"


def _card(described: ModelDescription) -> Iterator[str]:
    parity = described.parity
    yield f"# {described.name}"
    yield ""
    yield "TODO: what it is for, and what it must not be used for."
    yield ""
    yield "## What it is"
    yield ""
    estimator = described.source.get("estimator")
    yield f"- Task: {described.task}" + (f", trained as {_text(estimator)}" if estimator else "")
    yield f"- Answers: {', '.join(f'`{name}`' for name in described.methods) or '`run`'}"
    yield ""
    yield "## What it takes"
    yield ""
    yield from _inputs(described)
    yield ""
    yield "## What it answers"
    yield ""
    for method in described.methods:
        yield f"- `{method}`: {_ANSWERS.get(method, 'see the interface of the model')}"
    for output in () if described.methods else described.outputs:
        yield f"- `{_text(output.name)}`: {output.dtype}, {' by '.join(map(str, output.shape))}"
    if described.classes is not None:
        values = described.classes.values
        more = f", and {len(values) - _MOST:,} more" if len(values) > _MOST else ""
        yield f"- Classes: {', '.join(f'`{_text(one)}`' for one in values[:_MOST])}{more}"
    yield ""
    yield "## How it was proven"
    yield ""
    if parity.get("compared", True):
        yield (
            f"{counted(parity['rows'], 'row')} answered as {_text(parity['reference'])}: {parity['labels_wrong']} "
            f"labels wrong, largest errors {parity['largest_absolute_error']:.3g} absolute and "
            f"{parity['largest_relative_error']:.3g} relative."
        )
    else:
        yield "It is carried unchanged; there was nothing to compare it with."
    yield ""
    yield "## How good it is"
    yield ""
    yield "TODO: measured on which rows, with which score, compared with what."
    yield ""
    yield "## Training data"
    yield ""
    yield "TODO: where it comes from, of what time, and whose data is in it."


def _inputs(described: ModelDescription) -> Iterator[str]:
    if described.interface == "text":
        yield "A list of texts."
        return
    columns = described.columns
    if not columns:
        for tensor in described.inputs:
            yield f"- `{_text(tensor.name)}`: {tensor.dtype}, {' by '.join(map(str, tensor.shape))}"
        return
    yield "| column | kind | may be missing |"
    yield "|---|---|---|"
    for column in columns[:_MOST]:
        yield f"| `{_text(column.name)}` | {column.kind} | {'yes' if column.missing else 'no'} |"
    if len(columns) > _MOST:
        yield f"| and {len(columns) - _MOST:,} more | | |"


def _text(value: object) -> str:
    """Return a text that Markdown takes as one."""
    return plain(value).replace("`", "'").replace("|", "\\|")


def _toml(value: object) -> str:
    # JSON's texts and lists of texts are TOML's.
    return json.dumps(value, ensure_ascii=False)
