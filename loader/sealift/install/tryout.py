"""Steps 6 and 7: a model must describe itself correctly, and still answer the same on this machine."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sealift.errors import LimitError, MalformedError
from sealift.install.plan import Plan
from sealift.install.staging import Staging
from sealift.limits import LIMITS
from sealift_keys.names import ModelVersion

if TYPE_CHECKING:
    from sealift.model.description import ModelDescription


def try_out(plan: Plan, staging: Staging, step: Callable[[int, str], object]) -> dict[str, int]:
    """Check every new model and replay its golden examples in a child process; return rows by model reference.

    Raises:
        MalformedError, UnsupportedVersionError, LimitError: `model.json` or the file set is not right.
        IncompatibleError, SelfTestError: the model does not run, or does not repeat its answers, here.
    """
    from sealift.model.description import ModelDescription, check_file_set
    from sealift.model.selftest import run_in_child

    for manifest in plan.new:
        what = str(manifest.model)
        step(6, f"checking {what}")
        sizes = {file.name: file.plain.size for file in manifest.files}
        _require_small(sizes, what)
        description = ModelDescription.parse((staging.path(manifest.model) / "model.json").read_bytes())
        check_file_set(description, list(sizes), what)
        _require_same_name(description, manifest.model)
    examples = {}
    for manifest in plan.new:
        step(7, f"replaying the golden examples of {manifest.model}")
        directory = staging.path(manifest.model)
        result = run_in_child(directory, str(manifest.model), timeout_s=LIMITS.self_test_timeout_s)
        examples[manifest.model.reference] = result.rows
    return examples


def _require_small(sizes: Mapping[str, int], what: str) -> None:
    """Check that the documents which are read whole are there, and small enough for that."""
    if "model.json" not in sizes:
        raise MalformedError(f"{what} has no 'model.json'; it has {', '.join(sorted(sizes))}")
    for name, most in (("model.json", LIMITS.json_size_bytes), ("golden.json", LIMITS.golden_size_bytes)):
        if sizes.get(name, 0) > most:
            raise LimitError(f"{name!r} of {what} has {sizes[name]:,} bytes; expected at most {most:,}")


def _require_same_name(description: "ModelDescription", model: ModelVersion) -> None:
    if (description.name, description.version) != (model.name, str(model.version)):
        raise MalformedError(f"'model.json' of {model} describes {description.name!r} {description.version!r}")
