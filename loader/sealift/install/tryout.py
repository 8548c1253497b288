"""Steps 6 and 7: a model must be complete, and still answer the same on this machine; files must be what they say."""

from collections.abc import Callable

from sealift.install.plan import Plan
from sealift.install.preflight import Descriptions
from sealift.install.staging import Staging
from sealift.model.documents.description import FILES
from sealift.model.documents.file_set import check_file_set
from sealift.model.trial.process import SelfTestProcess
from sealift.model.weights.check import check_file


def try_out(
    plan: Plan,
    descriptions: Descriptions,
    staging: Staging,
    process: SelfTestProcess | None,
    step: Callable[[int, str], object],
) -> dict[str, int]:
    """Check every new model's files and replay its golden examples; return rows by model reference.

    Args:
        process: tries models out; None where nothing is new.

    Raises:
        MalformedError: the file set is not what `model.json` needs, or weights are not what their header says.
        IncompatibleError, SelfTestError: the model does not run, or does not repeat its answers, here.
    """
    for manifest in plan.new:
        step(6, f"checking {manifest.model}")
        check_file_set(descriptions[manifest.model], [file.name for file in manifest.files], str(manifest.model))
        if descriptions[manifest.model].kind == FILES:
            for file in manifest.files:
                what = f"{file.name!r} of {manifest.model}"
                check_file(file.name, staging.read(manifest, file), file.plain.size, what)
    examples = {}
    for manifest in plan.new:
        if process is not None and descriptions[manifest.model].kind != FILES:
            step(7, f"replaying the golden examples of {manifest.model}")
            examples[manifest.model.reference] = process.replay(staging.path(manifest.model), str(manifest.model)).rows
    return examples
