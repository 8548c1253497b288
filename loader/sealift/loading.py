"""`sealift.load`: the one call that most applications need; `sealift.models`: what there is to load."""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sealift.errors import UsageError
from sealift.store import Store
from sealift.store.loading_step import explained

if TYPE_CHECKING:
    from sealift.following import Switch
    from sealift.model import Model
    from sealift.model.observing import Observer


def load(
    name: str,
    version: str | None = None,
    *,
    store: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    observer: "Observer | None" = None,
    providers: Sequence[str] | None = None,
    follow: bool = False,
    on_switch: Callable[["Switch"], object] | None = None,
) -> "Model":
    """Load a verified model from the instance's store.

    Args:
        name: the model's name.
        version: a range such as `>=1.2,<2`; None means the active version.
        store: the store's directory; None means `SEALIFT_STORE`, or `/var/opt/gitlab/sealift`.
        threads: number of threads of one prediction; None leaves it to ONNX Runtime.
        observer: called with a `sealift.Prediction` after every prediction; see `Model.observed`.
        providers: ONNX Runtime's execution providers, in order of preference; None means the CPU's.
        follow: return a model that switches, between two calls, to what an admin installs or rolls back to. Once the
            channel withdrew its version, or the policy or a reviewer refuses it, and no other may answer, its calls
            raise WithdrawnError, UnreviewedError or NotInstalledError, until one may.
        on_switch: with `follow`, called with a `sealift.Switch` after every switch, and after every one that failed;
            in the thread that loaded, so it must not take long. What it raises is logged.

    Raises:
        sealift.Error: see `sealift.Store.load`.
    """
    if on_switch is not None and not follow:
        raise UsageError("on_switch needs follow=True")
    opened = Store(store)

    def load_now() -> "Model":
        return opened.load(name, version, threads=threads, providers=providers, observer=observer)

    if not follow:
        return load_now()
    from sealift.following import FollowedModel

    return FollowedModel(opened, load_now, on_switch)


class ActiveModel(NamedTuple):
    """A model that `load` gives without a version: its name, its version, and the digest of its manifest."""

    name: str
    version: str
    digest: str


def models(*, store: str | os.PathLike[str] | None = None) -> tuple[ActiveModel, ...]:
    """Return the active models by name, after verifying what is signed; none of them is read.

    Args:
        store: the store's directory; None means `SEALIFT_STORE`, or `/var/opt/gitlab/sealift`.

    Raises:
        sealift.Error: 20-29 when the trust does not hold, 31 where nothing was installed, 3 for what this user may not
            read.
    """
    opened = Store(store)
    with explained(f"cannot list the models of {str(opened.layout.root)!r}: "):
        generation, release = moment = opened.moment()
        names = [name for name, model in generation.models.items() if model in release.models]
        found = [opened.find(name, moment=moment) for name in names]
    return tuple(ActiveModel(one.model.name, str(one.model.version), one.manifest.digest) for one in found)
