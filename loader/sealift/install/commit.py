"""Steps 8 and 9: make what was staged count. The order matters: nothing is named before what it names is durable.

Model directories · manifests · the new trust state · the generation, which names that state · the `current` switch,
which makes both count in one rename · `trust/current` · history. Cut off anywhere, the previous generation serves with
its trust, or the new one with its own; the next run finds what is there and goes on. An error before the switch, a
full disk say, takes everything back.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sealift.errors import NoSpaceError
from sealift.inspection.verify import Verified
from sealift.install.plan import Plan
from sealift.install.staging import Staging
from sealift.store.contents import generations, history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.store.contents.placing import keep_document, place_model
from sealift.store.upkeep.completion import versions
from sealift.trust.state import TrustState
from sealift_common.files import durable


@dataclass(frozen=True)
class Outcome:
    """The active generation afterwards; whether it, or at least the accepted metadata, is new."""

    generation: Generation
    switched: bool
    refreshed: bool


@dataclass(frozen=True)
class Commit:
    """One commit to a store.

    Attributes:
        scratch: a folder of this install on the store's file system.
        accepted_expired: the admin's reason for installing expired metadata, or None.
    """

    layout: StoreLayout
    scratch: Path
    now: datetime
    accepted_expired: str | None

    def run(
        self,
        verified: Verified,
        plan: Plan,
        staging: Staging,
        state: TrustState,
        trust: Path,
        active: Generation | None,
    ) -> Outcome:
        """Commit the staged models and the metadata in `trust`.

        Args:
            state: the store's trust state, to be replaced.
            active: the generation that serves now.
        """
        with ExitStack() as undo:
            for manifest in plan.new:
                place_model(staging.path(manifest.model), self.layout.model(manifest.model), self.scratch, undo)
            for manifest in verified.contents.manifests:
                for digest, data in manifest.documents:
                    keep_document(self.layout.manifest(digest), data, self.scratch, undo)
            refreshed = not state.is_same(trust)
            if refreshed:
                state.write(trust, verified.floor, undo)
            generation = self._generation(plan, active, state.number, undo)
            switched = generation != active
            if switched:
                generations.switch(self.layout, generation.number, undo)
            undo.pop_all()
        try:
            state.settle()
            if switched:
                self._note_install(generation, verified, plan)
            elif refreshed:
                self._note("refresh", verified, release=plan.release)
        except OSError as error:
            raise NoSpaceError(
                f"release {plan.release} is active as generation {generation.number}, but what remains could not be "
                f"written ({error.strerror}); make room and run the same command again"
            ) from None
        return Outcome(generation, switched=switched, refreshed=refreshed)

    def _note_install(self, generation: Generation, verified: Verified, plan: Plan) -> None:
        self._note(
            "install",
            verified,
            generation=generation.number,
            release=plan.release,
            channel=verified.release.channel,
            models=versions(plan.active),
            digests={manifest.model.reference: manifest.digest for manifest in verified.contents.manifests},
            new=[manifest.model.reference for manifest in plan.new],
            withdrawn=[model.reference for model, _ in plan.withdrawn],
        )

    def _generation(self, plan: Plan, active: Generation | None, trust: int, undo: ExitStack) -> Generation:
        """Return the active generation if it is what the plan asks for; write one otherwise."""
        if active is not None and dict(active.models) == dict(plan.active) and active.release == plan.release:
            return active
        generation = Generation(
            number=max(generations.numbers(self.layout), default=0) + 1,
            release=plan.release,
            trust=trust,
            created=self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            models=plan.active,
        )
        undo.callback(durable.remove_tree, self.layout.generation(generation.number))
        generations.write(self.layout, self.scratch / "generation", generation)
        return generation

    def _note(self, action: str, verified: Verified, **details: Any) -> None:
        """Write the history: what, and on whose word."""
        signers = {role: list(names) for role, names in verified.signers.items()}
        if self.accepted_expired is not None:
            details["accepted_expired"] = self.accepted_expired
        if verified.taken_back:
            details["taken_back"] = list(verified.taken_back)
        history.append(self.layout.history, action, self.now, **details, signers=signers)
