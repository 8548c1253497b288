"""Convert, prove, describe, sign and pack trained models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sealift_bundler.errors import (
    ConversionError,
    DisclosureError,
    DisclosureWarning,
    GateError,
    ParityError,
    RecipeError,
    SourceError,
    UntrustedPickleError,
)

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion
    from sealift_bundler.proof.ladder import convert

_LAZY = {"convert": "sealift_bundler.proof.ladder", "Conversion": "sealift_bundler.proof.conversion"}

__all__ = [
    "Conversion",
    "ConversionError",
    "DisclosureError",
    "DisclosureWarning",
    "GateError",
    "ParityError",
    "RecipeError",
    "SourceError",
    "UntrustedPickleError",
    "convert",
]


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module 'sealift_bundler' has no attribute {name!r}")
        return getattr(import_module(_LAZY[name]), name)
