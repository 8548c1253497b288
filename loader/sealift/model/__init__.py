"""A model as an instance runs it: the description, the inputs, the front end, the model and its self-test."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealift.model.model import Model

__all__ = ["Model"]


if not TYPE_CHECKING:
    # A type checker would take every misspelled name for one that this finds.
    def __getattr__(name: str) -> Any:
        # `sealift.model.documents.description` is read by code that must not import NumPy.
        if name == "Model":
            return import_module("sealift.model.model").Model
        raise AttributeError(f"module 'sealift.model' has no attribute {name!r}")
