"""What may be done with a global that a pickle asks for."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sealift_bundler.source.unpickling.reconstructors import Accepts, Reconstructor


@dataclass(frozen=True)
class Allowed:
    """A global that a pickle may ask for.

    Attributes:
        value: what the pickle gets: a class, a function, or a `Reconstructor`.
        filled: whether the pickle may make objects of this class without calling it.
        accepts: with which arguments the pickle may call `value`; None means never.
        own: whether the caller trusted it by name.
    """

    value: Any
    filled: bool = False
    accepts: Accepts | None = None
    own: bool = False


def reconstructor(name: str, function: Callable[..., Any], accepts: Accepts) -> Allowed:
    """Allow a function that the pickle may call and not name."""
    return Allowed(Reconstructor(name, function, accepts))


def attribute(module: str, name: str) -> Any:
    """Import a module and return what it holds under a name."""
    return getattr(import_module(module), name)


def class_of(module: str, name: str) -> type | None:
    """Return a class that is defined where it was asked for: no module gives away what it imported."""
    value = attribute(module, name)
    return value if isinstance(value, type) and (value.__module__, value.__qualname__) == (module, name) else None
