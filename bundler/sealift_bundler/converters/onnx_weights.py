"""The files next to a ready-made graph that hold its weights.

A graph names them, and may come from anywhere; so none may lie outside the model's folder, or a graph could carry any
file of the machine away. A link is followed where it leads to what belongs to the model: below its folder, to the
place where the linked model itself lies (every Hugging Face cache is such), or to a file whose path names its own
digest (DVC and git-annex store files so).
"""

import hashlib
import os
import re
from pathlib import Path

import onnx
from onnx import external_data_helper

from sealift_bundler.errors import ConversionError, SourceError
from sealift_bundler.given_file import require_written

_WEIGHTS = "model.onnx.data"
_DIGEST = re.compile(r"[0-9a-f]{32}(?:[0-9a-f]{32})?")
_DIGESTS = {32: hashlib.md5, 64: hashlib.sha256}


def read_weights(model: onnx.ModelProto, path: Path) -> tuple[dict[str, bytes], bool]:
    """Read the files that tensors refer to.

    A bundle's weights are `model.onnx.data`, `model.onnx.data.1`, …; where they have other names, the tensors of
    `model` are made to refer to these.

    Args:
        model: The graph, which may be changed.
        path: The file that it was read from.

    Returns:
        The files' bytes by their names in the bundle, and whether `model` was changed.

    Raises:
        ConversionError: a tensor refers to a file that does not belong to the model.
        SourceError: a file cannot be read.
    """
    found: dict[str, bytes] = {}
    places = []
    for tensor in external_data_helper._get_all_tensors(model):  # noqa: SLF001 - onnx has no public form
        if not external_data_helper.uses_external_data(tensor):
            continue
        entry = next((entry for entry in tensor.external_data if entry.key == "location"), None)
        location = "" if entry is None else entry.value
        # PyTorch writes './model.onnx.data'.
        name = location.removeprefix("./")
        if not name or Path(name).name != name:
            raise ConversionError(
                f"tensor {tensor.name!r} keeps its weights in {location!r}; expected a plain file next to the model"
            )
        if name not in found:
            found[name] = _read(path, name)
        places.append((entry, name, location))
    shards = [f"{_WEIGHTS}.{index}" if index else _WEIGHTS for index in range(len(found))]
    own = set(found) == set(shards)
    if own and all(name == location for _, name, location in places):
        return found, False
    name_of = {name: name for name in found} if own else dict(zip(sorted(found), shards, strict=True))
    for entry, name, _ in places:
        if entry is not None:
            entry.value = name_of[name]
    return {name_of[name]: data for name, data in found.items()}, True


def _read(model: Path, name: str) -> bytes:
    path = model.parent / name
    try:
        require_written(path)
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read the weights {name!r} of the model: {error.strerror}") from error
    if path.is_symlink() and not _belongs(model, path, data):
        raise ConversionError(
            f"the weights {name!r} are a link to {os.path.realpath(path)!r}, outside the model's folder; "
            f'put the file itself there: cp --remove-destination "$(realpath {name})" {name}'
        )
    return data


def _belongs(model: Path, path: Path, data: bytes) -> bool:
    target = Path(os.path.realpath(path))
    folder = Path(os.path.realpath(model.parent))
    if folder in target.parents or target.parent == Path(os.path.realpath(model)).parent:
        return True
    # DVC divides the digest: its first two digits are a folder.
    return any(
        _DIGESTS[len(digest)](data, usedforsecurity=False).hexdigest() == digest
        for text in (target.name, target.parent.name + target.name)
        for digest in _DIGEST.findall(text)
    )
