"""Every way to save a model as a pickle, and whether the bundler's unpickler opens what each wrote."""

import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib

from sealift.errors import Error
from sealift_bundler.source.pickles import open_pickle


def _pickled(value: Any, path: Path, *, protocol: int) -> None:
    path.write_bytes(pickle.dumps(value, protocol))


def _dumped(value: Any, path: Path, *, compress: Any) -> None:
    joblib.dump(value, path, compress=compress)


WAYS: dict[str, Callable[[Any, Path], None]] = {
    **{f"protocol {number}": functools.partial(_pickled, protocol=number) for number in (0, 2, 4, 5)},
    "joblib": functools.partial(_dumped, compress=0),
    **{
        f"joblib, {name}": functools.partial(_dumped, compress=(name, 3))
        for name in ("zlib", "gzip", "bz2", "lzma", "xz")
    },
}


def problem_of(value: Any, folder: Path) -> str:
    """Save a value in each way and open it; say which one fails, empty if none does."""
    for way, write in WAYS.items():
        write(value, folder / "value.pkl")
        try:
            opened = open_pickle(folder / "value.pkl")
        except Error as error:
            return f"{way}: {error}"
        if type(opened) is not type(value):
            return f"{way}: a {type(opened)} in place of a {type(value)}"
    return ""
