"""Steps 8 and 9 of an install: what `store.transaction` is to commit, and what the history says of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sealift import journal
from sealift.inspection.verify import Verified
from sealift.install.plan import Plan
from sealift.install.staging import Staging
from sealift.store import transaction
from sealift.store.contents import generations, history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.store.transaction import Activation, Change, Contents, NewTrust
from sealift.store.upkeep.completion import versions
from sealift.trust.state import TrustState
from sealift_common.oci.manifest import Manifest


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
        policy: digest of the policy that it was judged by; empty where there is none.
    """

    layout: StoreLayout
    scratch: Path
    now: datetime
    accepted_expired: str | None
    policy: str = ""

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
        refreshed = not state.is_same(trust)
        stays = active if active is not None and _is_planned(active, plan) else None

        def activation(number: int) -> Activation:
            if stays is not None:
                return Activation([], stays, switch=False)
            generation = self._generation(plan, number)
            return Activation([generation], generation)

        def note(generation: Generation) -> None:
            if stays is None:
                self._note_install(generation, verified, plan)
            elif refreshed:
                self._note("refresh", verified, plan, release=plan.release)

        change = Change(
            contents=Contents(
                {manifest.model: staging.path(manifest.model) for manifest in plan.new},
                documents_of(self.layout, verified.contents.manifests),
            ),
            trust=NewTrust(state, trust if refreshed else None, verified.floor),
            activation=activation,
            note=note,
            release=plan.release,
        )
        generation = transaction.commit(self.layout, self.scratch, change)
        return Outcome(generation, switched=stays is None, refreshed=refreshed)

    def _note_install(self, generation: Generation, verified: Verified, plan: Plan) -> None:
        self._note(
            "install",
            verified,
            plan,
            generation=generation.number,
            release=plan.release,
            channel=verified.release.channel,
            models=versions(plan.active),
            digests={manifest.model.reference: manifest.digest for manifest in verified.contents.manifests},
            new=[manifest.model.reference for manifest in plan.new],
            withdrawn=[model.reference for model, _ in plan.withdrawn],
            **({"skipped_unreviewed": [model.reference for model in plan.skipped]} if plan.skipped else {}),
        )

    def _generation(self, plan: Plan, trust: int) -> Generation:
        """Return the generation that the plan asks for; `trust` is the number of the state it is made with."""
        return Generation(
            number=max(generations.numbers(self.layout), default=0) + 1,
            release=plan.release,
            trust=trust,
            created=self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            models=plan.active,
        )

    def _note(self, action: str, verified: Verified, plan: Plan, **details: Any) -> None:
        """Write the history, and tell the machine's log: what, and on whose word."""
        signers = {role: list(names) for role, names in verified.signers.items()}
        if self.accepted_expired is not None:
            details["accepted_expired"] = self.accepted_expired
        if self.policy:
            details["policy"] = self.policy
        if verified.taken_back:
            details["taken_back"] = list(verified.taken_back)
        entry = history.append(self.layout.history, action, self.now, **details, signers=signers)
        overrides = [f"expired: {self.accepted_expired}"] if self.accepted_expired is not None else []
        if "skipped_unreviewed" in details:
            overrides.append(f"skipped unreviewed: {', '.join(details['skipped_unreviewed'])}")
        release = verified.release
        active = [(model, release.models[model].digest) for model in plan.active.values()]
        journal.changed(action, entry, channel=release.channel, models=active, override="; ".join(overrides))


def _is_planned(active: Generation, plan: Plan) -> bool:
    return dict(active.models) == dict(plan.active) and active.release == plan.release


def documents_of(layout: StoreLayout, manifests: Iterable[Manifest]) -> list[tuple[Path, bytes]]:
    """Return the manifests and configs of `manifests`, by the path in the store that their digest names."""
    return [(layout.manifest(digest), data) for manifest in manifests for digest, data in manifest.documents]
