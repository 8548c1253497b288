"""`sealift.load`: the one call that most applications need."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sealift.following import FollowedModel, Switch, require_follow
from sealift.store import Store

if TYPE_CHECKING:
    from sealift.model import Model


def load(
    name: str,
    version: str | None = None,
    *,
    store: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    providers: Sequence[str] | None = None,
    follow: bool = False,
    on_switch: Callable[[Switch], object] | None = None,
) -> "Model":
    """Load a verified model from the instance's store.

    Args:
        name: the model's name.
        version: a range such as `>=1.2,<2`; None means the active version.
        store: the store's directory; None means `SEALIFT_STORE`, or `/var/opt/gitlab/sealift`.
        threads: number of threads of one prediction; None leaves it to ONNX Runtime.
        providers: ONNX Runtime's execution providers, in order of preference; None means the CPU's.
        follow: return a model that switches, between two calls, to what an admin installs or rolls back to.
        on_switch: with `follow`, called with a `sealift.Switch` after every switch, and after every one that failed;
            in the thread that loaded, so it must not take long.

    Raises:
        sealift.Error: see `sealift.Store.load`.
    """
    require_follow(follow, on_switch)
    opened = Store(store)

    def load_now() -> "Model":
        return opened.load(name, version, threads=threads, providers=providers)

    return FollowedModel(opened.layout, load_now, on_switch) if follow else load_now()
