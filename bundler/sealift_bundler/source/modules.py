"""Import the modules that register converters of a team's own estimators, before the model is opened."""

from collections.abc import Iterable
from importlib import import_module

from sealift.errors import UsageError
from sealift_bundler.errors import SourceError


def is_module_name(name: str) -> bool:
    """Return whether a text is a module's absolute, dotted name."""
    return all(part.isidentifier() for part in name.split("."))


def check_modules(names: Iterable[str]) -> None:
    """Check the names of modules to import, and import nothing.

    Raises:
        UsageError: one is not a dotted name, or all of them are one text.
    """
    if isinstance(names, str):
        raise UsageError(f"modules to import are {names!r}; expected a list, for example ['our.module']")
    for name in names:
        if not isinstance(name, str) or not is_module_name(name):
            raise UsageError(f"module to import is {name!r}; expected a dotted name, for example 'our.module'")


def import_modules(names: Iterable[str]) -> None:
    """Import modules in this process. Their code runs.

    Raises:
        SourceError: one is not found, or raises while it is imported.
    """
    for name in names:
        try:
            import_module(name)
        except MemoryError:
            raise
        except (Exception, SystemExit) as error:
            # Someone else's module: it raises whatever it likes.
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing is not None and f"{name}.".startswith(f"{missing}."):
                raise SourceError(
                    f"the module {name!r} to import is not found; expected one that is installed here, or below a "
                    "folder in PYTHONPATH"
                ) from None
            reason = " ".join(str(error).split())[:200]
            raise SourceError(
                f"the module {name!r} to import fails ({type(error).__name__}: {reason}); correct the module"
            ) from error
