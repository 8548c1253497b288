"""Changes from one bundle to another, or from a store to a bundle. Pure; trusts nothing and proves nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealift.model.documents.description import ModelDescription, TensorInput, TensorOutput
from sealift_common.names import ModelVersion
from sealift_common.oci.manifest import Manifest

_Leaf = str | int | float | bool | None


@dataclass(frozen=True)
class Change:
    """Something that has a name: what it was and what it is; None where it was or is not there."""

    name: str
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class ModelDifference:
    """One model in two versions.

    Attributes:
        files: changed, new and missing files, with their sizes in bytes.
        inputs, outputs: tensors whose dtype, shape or meaning differ.
        columns: columns of the caller that differ, in kind or in what they take.
        figures: numbers and texts of `parity`, `conversion`, `requires`, … that differ, under dotted names.
    """

    before: ModelVersion
    after: ModelVersion
    files: tuple[Change, ...]
    inputs: tuple[Change, ...] = ()
    outputs: tuple[Change, ...] = ()
    columns: tuple[Change, ...] = ()
    figures: tuple[Change, ...] = ()

    @property
    def same_interface(self) -> bool:
        """Whether an application that fed the one can feed the other, and reads the same answers."""
        return not (self.inputs or self.outputs or self.columns)


def kind_of(model: ModelVersion, digest: str, base: Mapping[ModelVersion, str]) -> str:
    """Say what `model` is to somebody who has `base` (version to digest): new, updated, older, changed or unchanged."""
    if model in base:
        return "unchanged" if base[model] == digest else "changed"
    versions = [other for other in base if other.name == model.name]
    if not versions:
        return "new"
    return "updated" if model > max(versions) else "older"


def compare_models(
    before: Manifest, after: Manifest, described: tuple[ModelDescription | None, ModelDescription | None]
) -> ModelDifference:
    """Compare two versions of a model.

    Args:
        described: their `model.json`; without both, only files are compared.
    """
    files = tuple(
        Change(change.name, change.before and change.before[0], change.after and change.after[0])
        for change in _changes(_files(before), _files(after))
    )
    one, other = described
    if one is None or other is None:
        return ModelDifference(before.model, after.model, files)
    return ModelDifference(
        before.model,
        after.model,
        files,
        inputs=_changes(_tensors(one.inputs), _tensors(other.inputs)),
        outputs=_changes(_tensors(one.outputs), _tensors(other.outputs)),
        columns=_changes(_columns(one), _columns(other)),
        figures=_changes(_figures(one), _figures(other)),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    names = dict.fromkeys([*before, *after])
    return tuple(
        Change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    )


def _files(manifest: Manifest) -> dict[str, tuple[int, str]]:
    return {file.name: (file.plain.size, file.plain.digest) for file in manifest.files}


def _tensors(tensors: Sequence[TensorInput | TensorOutput]) -> dict[str, dict[str, Any]]:
    found = {}
    for tensor in tensors:
        found[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape)}
        if isinstance(tensor, TensorOutput):
            found[tensor.name] |= {"role": tensor.role, "returns": tensor.returns}
    return found


def _columns(description: ModelDescription) -> dict[str, dict[str, Any]]:
    return {
        column.name: {
            "kind": column.kind,
            "missing": column.missing is not None,
            "categories": None if column.categories is None else list(column.categories),
        }
        for column in description.columns
    }


def _figures(description: ModelDescription) -> dict[str, _Leaf]:
    requires = description.requires
    documents = {
        "task": description.task,
        "interface": description.interface,
        "classes": {"dtype": description.classes.dtype, "values": str(list(description.classes.values))}
        if description.classes
        else None,
        "requires": {
            "onnxruntime": requires.onnxruntime,
            "ir_version": requires.ir_version,
            "opsets": requires.opsets,
            "architectures": ", ".join(requires.architectures) or None,
        },
        "tolerance": {"atol": description.tolerance.atol, "rtol": description.tolerance.rtol},
        "conversion": description.conversion,
        "parity": description.parity,
        "source": description.source,
    }
    return dict(_leaves("", documents))


def _leaves(prefix: str, value: Any) -> Iterable[tuple[str, _Leaf]]:
    """Flatten objects; lists, of worst rows say, differ in every build and say nothing in a line."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), inner)
    elif not isinstance(value, list):
        yield prefix, value
