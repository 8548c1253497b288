"""Steps 6 and 7: a model must be complete, and still answer the same on this machine."""

from collections.abc import Callable

from sealift.install.plan import Plan
from sealift.install.preflight import Descriptions
from sealift.install.staging import Staging
from sealift.model.documents.description import check_file_set
from sealift.model.trial.process import SelfTestProcess


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
        MalformedError: the file set is not what `model.json` needs.
        IncompatibleError, SelfTestError: the model does not run, or does not repeat its answers, here.
    """
    for manifest in plan.new:
        step(6, f"checking {manifest.model}")
        check_file_set(descriptions[manifest.model], [file.name for file in manifest.files], str(manifest.model))
    examples = {}
    for manifest in plan.new:
        if process is not None:
            step(7, f"replaying the golden examples of {manifest.model}")
            examples[manifest.model.reference] = process.replay(staging.path(manifest.model), str(manifest.model)).rows
    return examples
