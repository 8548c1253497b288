"""A channel whose versions are reviewed: people with keys, records, statements."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rfc8785
from securesystemslib.signer import CryptoSigner
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files

from sealift_common.names import ModelVersion
from sealift_common.review.questionnaire import default_bytes, parse_questionnaire
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.stating import Stated, state

QUESTIONNAIRE = parse_questionnaire(default_bytes())


def signer(name: str) -> CryptoSigner:
    made = CryptoSigner.generate_ecdsa()
    made.public_key.unrecognized_fields["x-sealift-name"] = name
    return made


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
