"""`sealift.load`: the one call that most applications need."""

import os
from typing import TYPE_CHECKING

from sealift.store import Store

if TYPE_CHECKING:
    from sealift.model import Model
    from sealift.model.observing import Observer


def load(
    name: str,
    version: str | None = None,
    *,
    store: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    observer: "Observer | None" = None,
) -> "Model":
    """Load a verified model from the instance's store.

    Args:
        name: the model's name.
        version: a range such as `>=1.2,<2`; None means the active version.
        store: the store's directory; None means `SEALIFT_STORE`, or `/var/opt/gitlab/sealift`.
        threads: number of threads of one prediction; None leaves it to ONNX Runtime.
        observer: called with a `sealift.Prediction` after every prediction; see `Model.observed`.

    Raises:
        sealift.Error: see `sealift.Store.load`.
    """
    return Store(store).load(name, version, threads=threads, observer=observer)
