"""Read samples from a file, in the dtypes that the model was trained with where the file leaves that open."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sealift_bundler.errors import SourceError
from sealift_bundler.given_file import require_written
from sealift_bundler.samples.trained_columns import text_columns

# With or without the byte order mark that programs on Windows write; it does not belong to the first text.
_ENCODING = "utf-8-sig"
_SUFFIXES = ".csv, .json, .jsonl, .parquet, .npy, .npz, .txt"


def read_samples(path: Path, model: Any) -> Any:
    """Read samples by the file's suffix; JSON keeps its own types, CSV takes the model's word for text columns.

    Raises:
        SourceError: the file cannot be read or parsed.
    """
    suffix = path.suffix.lower()
    try:
        require_written(path)
        return _read(path, suffix, model)
    except OSError as error:
        raise SourceError(f"cannot read samples from {str(path)!r}: {error.strerror or error}") from error
    except ImportError as error:
        # pandas raises one without a name, after it looked for several.
        needed = error.name or {".parquet": "pyarrow"}.get(suffix, str(error))
        raise SourceError(f"reading {suffix} samples needs a module that is not installed: {needed!r}") from error
    except (ValueError, pd.errors.ParserError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"samples {str(path)!r} are not a readable {suffix} file: {reason}") from error


def _read(path: Path, suffix: str, model: Any) -> Any:
    if suffix == ".csv":
        # "08" is a number to a CSV reader and a category to the encoder that was trained on it.
        return pd.read_csv(path, dtype=dict.fromkeys(text_columns(model), str))
    if suffix in (".jsonl", ".ndjson"):
        lines = path.read_text(_ENCODING).splitlines()
        return _of_json([json.loads(line) for line in lines if line.strip()])
    if suffix == ".json":
        return _of_json(json.loads(path.read_text(_ENCODING)))
    if suffix == ".parquet":
        return pd.read_parquet(path)
    if suffix == ".npy":
        return np.load(path, allow_pickle=False)
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    if suffix == ".txt":
        return path.read_text(_ENCODING).splitlines()
    raise SourceError(f"samples {str(path)!r} have the suffix {suffix!r}; expected one of {_SUFFIXES}")


def _of_json(document: Any) -> Any:
    """See an array of objects or an object of arrays as a table; arrays and strings stay what they are."""
    if isinstance(document, dict) or (isinstance(document, list) and document and isinstance(document[0], dict)):
        return pd.DataFrame(document)
    return document
