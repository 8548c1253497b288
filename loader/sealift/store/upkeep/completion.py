"""Finish or forget what a commit that was cut off has left; who changes the store does this first, under its lock."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from sealift.errors import Error
from sealift.store import Store
from sealift.store.contents import generations, history
from sealift_common.files import durable
from sealift_common.names import ModelVersion


def complete(store: Store, now: datetime) -> None:
    """Link the trust state that counts, write the history line that is owed, remove what never became active.

    Raises:
        CorruptError: `current`, its generation or the trust state is damaged.
    """
    layout = store.layout
    active = generations.active(layout)
    if active is None:
        return
    state = store.trust_state()
    state.settle()
    entries = history.read(layout.history)
    if active.number not in {entry.get(key) for entry in entries for key in ("generation", "before")}:
        history.append(
            layout.history,
            "install",
            now,
            generation=active.number,
            release=active.release,
            models=versions(active.models),
            note="completed after an interruption",
        )
    for number in generations.numbers(layout):
        with suppress(Error):
            # Made with a trust state that never counted, so it was never switched to.
            if generations.read(layout, number).trust > state.number:
                durable.remove_tree(layout.generation(number))


def versions(models: Mapping[str, ModelVersion]) -> dict[str, str]:
    """Return name to version, for the history."""
    return {name: str(model.version) for name, model in sorted(models.items())}
