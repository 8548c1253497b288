"""Make a verified backup count: what `store.transaction` is to commit, then what the backup does not hold leaves.

Cut off anywhere, the previous generation serves, or the restored one; restoring again finishes the job.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealift.backup.document import HISTORY, Backup
from sealift.errors import CorruptError, Error
from sealift.store import Store
from sealift.store.contents import files, generations, history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.store.transaction import Activation, Change, Contents, NewTrust, commit
from sealift.trust.floor import Floor
from sealift.trust.state import TrustState
from sealift_common.files import durable
from sealift_common.metadata.release_document import Release
from sealift_common.names import ModelVersion


@dataclass(frozen=True)
class Switch:
    """One restore of `backup`, staged in `staged`, into `store`.

    Attributes:
        staged: a layout inside the store's staging folder.
        trust: the metadata in python-tuf's own form.
        replace: whether what the backup does not hold is removed.
        replaced: the number of the generation that was active, or None.
    """

    store: Store
    backup: Backup
    staged: StoreLayout
    trust: Path
    digest: str
    replace: bool
    replaced: int | None
    now: datetime

    def run(
        self, state: TrustState | None, floor: Floor, models: Collection[ModelVersion], intact: Collection[ModelVersion]
    ) -> Generation:
        """Switch, and return the generation that is active then.

        Args:
            state: the store's trust state, to be replaced; None where it never had one.
            floor: what the store must never go back below.
            models: what the backup holds.
            intact: of those, what the store has already.
        """
        layout = self.store.layout
        if state is None:
            durable.remove_tree(layout.trust)
            state = TrustState(layout.trust, at_least=0, used=False)
        restored: list[_Restored] = []

        def activation(number: int) -> Activation:
            restored.extend(self._generations(number))
            active = next(entry for entry in restored if entry.created_as == self.backup.active).generation
            return Activation([entry.generation for entry in restored if entry.new], active)

        def note(active: Generation) -> None:
            self._history(active)
            if self.replace:
                self._remove_others({entry.generation.number for entry in restored}, models)

        change = Change(
            contents=Contents(
                {model: self.staged.model(model) for model in models if model not in intact},
                [
                    (layout.root / file.path, (self.staged.root / file.path).read_bytes())
                    for file in self.backup.group("manifests")
                ],
            ),
            trust=NewTrust(state, self.trust, floor),
            activation=activation,
            note=note,
            release=self.backup.release,
            again="restore again with --replace",
        )
        return commit(layout, self.staged.root, change)

    def _generations(self, trust: int) -> list["_Restored"]:
        """Return the backup's generations; where a number is taken by another one, all get new numbers."""
        layout = self.store.layout
        taken = generations.numbers(layout)
        same = {entry.number for entry in self.backup.generations if _is_there(layout, entry)}
        clash = any(entry.number in taken and entry.number not in same for entry in self.backup.generations)
        offset = max(taken) if clash else 0
        restored = []
        for entry in self.backup.generations:
            # The others are older than the state that counts, whichever it is by then.
            active = entry.number == self.backup.active
            generation = entry._replace(number=entry.number + offset, trust=trust if active else 0)
            restored.append(_Restored(entry.number, generation, new=clash or entry.number not in same))
        return restored

    def _history(self, active: Generation) -> None:
        """Keep every line that either history has, and add what happened now."""
        layout = self.store.layout
        source = self.staged.root / HISTORY
        kept = source.read_bytes().splitlines(keepends=True) if source.exists() else []
        known = set(kept)
        if layout.history.exists():
            kept += [line for line in layout.history.read_bytes().splitlines(keepends=True) if line not in known]
        whole = [line if line.endswith(b"\n") else line + b"\n" for line in kept]
        durable.write_file(layout.history, b"".join(whole))
        history.append(
            layout.history,
            "restore",
            self.now,
            generation=active.number,
            release=self.backup.release,
            models={name: str(model.version) for name, model in sorted(active.models.items())},
            digest=self.digest,
            **({} if self.replaced is None else {"before": self.replaced}),
        )

    def _remove_others(self, numbers: Collection[int], models: Collection[ModelVersion]) -> None:
        """Remove what the backup does not hold; from here on, a crash leaves only some of it behind."""
        layout = self.store.layout
        for number in generations.numbers(layout):
            if number not in numbers:
                durable.remove_tree(layout.generation(number))
        for model in self.store.all_versions():
            if model not in models:
                durable.remove_tree(layout.model(model))
        wanted = {file.path for file in self.backup.group("manifests")}
        for path in layout.manifests.iterdir():
            if f"manifests/{path.name}" not in wanted:
                durable.remove_tree(path)


@dataclass(frozen=True)
class _Restored:
    created_as: int
    generation: Generation
    new: bool


def intact_models(store: Store, release: Release, models: Collection[ModelVersion]) -> set[ModelVersion]:
    """Return those of `models` that the store holds already, whole, as `release` lists them."""
    intact = set()
    for model in set(models) & set(store.all_versions()):
        try:
            files.check_files(store.layout, files.read_manifest(store.layout, model, release.models[model]))
        except CorruptError:
            continue
        intact.add(model)
    return intact


def _is_there(layout: StoreLayout, generation: Generation) -> bool:
    try:
        found = generations.read(layout, generation.number)
    except (Error, OSError):
        return False
    return json.dumps(_plain(found)) == json.dumps(_plain(generation))


def _plain(generation: Generation) -> list[object]:
    models = sorted((name, str(model.version)) for name, model in generation.models.items())
    return [generation.number, generation.release, generation.created, models]
