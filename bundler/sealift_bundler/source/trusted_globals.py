"""Names of a team's own classes and functions that a pickle may ask for, as a recipe or a command gives them.

A name stands for one class or function and for no module: whatever a module holds could be called by the pickle, and
nobody reads a whole module before trusting it.
"""

import sys
from collections.abc import Iterable

from sealift.errors import UsageError
from sealift_bundler.source.modules import is_module_name

# All the ways out of a pickle lie in the standard library and in libraries that open or run what they are given.
_NEVER = frozenset({*sys.stdlib_module_names, "__main__", "cloudpickle", "dill", "joblib", "pip", "setuptools"})


def is_standard(module: str) -> bool:
    """Return whether a module is of the standard library, or of a library whose functions run what they are given."""
    return module.partition(".")[0] in _NEVER


def problem_of(name: object) -> str:
    """Say what is wrong with a name to trust; empty if nothing is."""
    if not isinstance(name, str) or "." not in name or not is_module_name(name):
        return f"{name!r}; expected the dotted name of one class or function, for example 'our.steps.Clipped'"
    if is_standard(name):
        return f"{name!r}; no name of {name.partition('.')[0]!r} can be trusted, only classes and functions of your own"
    return ""


def check_trusted_globals(names: Iterable[str]) -> None:
    """Check names to trust, and import nothing.

    Raises:
        UsageError: one is no dotted name or of the standard library, or all of them are one text.
    """
    if isinstance(names, str):
        raise UsageError(f"names to trust are {names!r}; expected a list, for example ['our.steps.Clipped']")
    for name in names:
        if problem := problem_of(name):
            raise UsageError(f"name to trust is {problem}")
