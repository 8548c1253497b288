"""A channel whose versions are reviewed: people with keys, records, statements."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import rfc8785
from securesystemslib.signer import CryptoSigner
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
from support.release.instance import Instance

from sealift_common.metadata.release_document import FIELD
from sealift_common.names import ModelVersion
from sealift_common.review.dsse import Envelope, pre_authentication
from sealift_common.review.questionnaire import default_bytes, parse_questionnaire
from sealift_common.review.statement import Statement
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.stating import Stated, state

# A policy that asks for security and legal.
BOTH = 'schema = "sealift.policy/1"\n[require]\nroles = ["security", "legal"]\n'
SECURITY = BOTH.replace(', "legal"', "")
QUESTIONNAIRE = parse_questionnaire(default_bytes())


def signer(name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ecdsa()
    made.public_key.unrecognized_fields["x-sealift-name"] = name
    return made


def demand(instance: Instance, text: str = BOTH) -> None:
    """Put a policy into force."""
    (instance.trust_path / "policy.toml").write_text(text)


def signed(statement: Statement, by: CryptoSigner) -> dict[str, Any]:
    """An envelope with a statement, no matter who signs it."""
    payload = statement.to_bytes()
    return Envelope(payload, (by.sign(pre_authentication(payload)),)).to_dict()


def list_reviews(
    sim: ChannelSimulator, choose: Callable[[list[dict[str, Any]]], Iterable[Mapping[str, Any]]], *, sort: bool = True
) -> None:
    """Sign targets of the next version with other reviews, as somebody does who uses other tools."""

    def change(signed: Any) -> None:
        signed.version += 1
        own = signed.unrecognized_fields[FIELD]
        chosen = list(choose(own.get("reviews", [])))
        own["reviews"] = sorted(chosen, key=_place) if sort else chosen

    sign_targets(sim, change)


def _place(envelope: Mapping[str, Any]) -> tuple[str, str]:
    return str(envelope.get("payload")), json.dumps(envelope.get("signatures"), sort_keys=True)


def sign_targets(sim: ChannelSimulator, change: Callable[[Any], object]) -> None:
    """Sign targets that `change` changes, and a snapshot and timestamp that name them."""

    def list_targets(signed: Any) -> None:
        signed.version += 1
        signed.meta["targets.json"].version += 1

    def list_snapshot(signed: Any) -> None:
        signed.version += 1
        signed.snapshot_meta.version += 1

    sim.change("targets", change)
    sim.change("snapshot", list_targets)
    sim.change("timestamp", list_snapshot)


def record(model: ModelVersion, risk: str = "minimal", **changes: Any) -> bytes:
    """The bytes of a REVIEW.json, without the answers that nobody reads here."""
    roles = QUESTIONNAIRE.demand(risk, personal_data=False).roles
    document = {
        "schema": "sealift.record/1",
        "model": model.name,
        "version": str(model.version),
        "risk": risk,
        "personal_data": False,
        "roles": list(roles),
        "questionnaire": QUESTIONNAIRE.digest,
        "answers": {},
        "source": "sha256:" + "b" * 64,
        "samples": "sha256:" + "c" * 64,
        "accepted": [],
        "authors": [],
        "probe": {},
        "versions": {},
    }
    return rfc8785.dumps(document | changes)


class ReviewedChannel(ChannelSimulator):
    """A channel with one reviewer for each of security and legal, `ada` and `bob`, unless told otherwise."""

    def __init__(
        self, directory: Path, roles: Sequence[tuple[str, str]] = (("security", "ada"), ("legal", "bob"))
    ) -> None:
        super().__init__(directory)
        self.people = {name: signer(name) for _, name in roles}
        for role, name in roles:
            self.join(role, name)

    def join(self, role: str, name: str, **changes: Any) -> None:
        """Give a role one more reviewer."""
        self.people.setdefault(name, signer(name))
        change_reviewers(self.channel, role, add=[self.people[name].public_key], signers=self.signers, **changes)

    def stage(self, version: str, risk: str = "minimal", name: str = "toy", **changes: Any) -> ModelVersion:
        """Stage a version with a record."""
        model = ModelVersion.parse(name, version)
        return self.add(
            name, version, {**renamed(toy_files(), name, version), "REVIEW.json": record(model, risk, **changes)}
        )

    def digest(self, model: ModelVersion) -> str:
        return {**self.channel.released(), **self.channel.staged()}[model].digest

    def say(self, model: ModelVersion, role: str, name: str, decision: str = "approved", **changes: Any) -> Stated:
        """Let somebody decide."""
        return state(self.channel, model, role, decision, self.digest(model), self.people[name], **changes)
