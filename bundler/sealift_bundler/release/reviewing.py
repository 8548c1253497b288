"""The review of one recipe: its answers by the channel's questionnaire, and the documents that they become."""

from typing import TYPE_CHECKING, NamedTuple

from sealift_bundler.errors import RecipeError
from sealift_bundler.review.answers import Answers, read_answers
from sealift_bundler.review.bom import FILE_NAME as BOM
from sealift_bundler.review.bom import bom_bytes
from sealift_common.names import ModelVersion
from sealift_common.review.questionnaire import FILE_NAME, Questionnaire, default_bytes, parse_questionnaire
from sealift_common.review.record import FILE_NAME as RECORD
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sealift_bundler.disclosure import Disclosure
    from sealift_bundler.proof.conversion import Conversion
    from sealift_bundler.release.modelpack import Descriptor
    from sealift_bundler.release.staging_conversion import Origin

_LICENSE_REF = "LicenseRef-"
# Whose rows can travel as golden examples, from those that disclose most on.
_ROWS = ("samples", "file", "generated", "none")


class Review(NamedTuple):
    """Complete answers, and the questionnaire that asked for them."""

    answers: Answers
    questionnaire: Questionnaire

    def documents(
        self,
        model: ModelVersion,
        origin: "Origin",
        descriptor: "Descriptor",
        conversions: "Mapping[str, Conversion]",
        files: "Mapping[str, bytes | Path]",
        disclosure: "Disclosure",
    ) -> dict[str, bytes]:
        """Return the bill of materials and the record, as files of the version.

        Args:
            origin: what the version is made of.
            descriptor: what people read about it.
            conversions: of the model under "", or of each of several graphs; none of files.
            files: all others.
            disclosure: what was found in them.

        Raises:
            RecipeError: the answers do not fit the model.
            SourceError: the source or the samples cannot be read.
        """
        from sealift import __version__
        from sealift.model.documents.description import FILE_NAME as DESCRIPTION
        from sealift.model.documents.description import ModelDescription
        from sealift_bundler.review.record import record_bytes

        self._require_golden(origin.path, conversions)
        self._require_licenses(origin.path, files)
        described = files[DESCRIPTION]
        whole = ModelDescription.parse(described if isinstance(described, bytes) else described.read_bytes())
        descriptions = {name: one.description for name, one in conversions.items()} or {"": whole}
        probes = {name: one.probe for name, one in conversions.items()}
        versions: dict[str, str] = {}
        for conversion in conversions.values():
            versions |= conversion.description.source.get("versions", {})
        bom = bom_bytes(
            model, descriptions, files, self.answers, created_at=descriptor.created_at, text=descriptor.description
        )
        record = record_bytes(
            model,
            self.answers,
            self.questionnaire,
            disclosure,
            source=origin.source(),
            samples=origin.samples(),
            probe=probes.get("", probes),
            versions={**versions, "sealift": __version__},
        )
        return {BOM: bom, RECORD: record}

    def _require_golden(self, file: "Path", conversions: "Mapping[str, Conversion]") -> None:
        path, tables = self.answers.path, self.answers.tables
        said = tables.get("golden", {}).get("source")
        found = {one.description.conversion.get("golden") for one in conversions.values()} or {"none"}
        travels = next((rows for rows in _ROWS if rows in found), None)
        if said is not None and travels is not None and said != travels:
            raise RecipeError(
                f"{path}: [golden] source is {said!r}, and {travels} rows travel; correct the answer, or `golden` in "
                f"{str(file)!r}"
            )

    def _require_licenses(self, file: "Path", names: "Collection[str]") -> None:
        path, licenses = self.answers.path, self.answers.tables.get("licenses", {})
        given = [
            licenses.get("model", ""),
            *licenses.get("data", []),
            *(one.get("license", "") for one in self.answers.datasets),
        ]
        for name in sorted({word for text in given for word in text.split() if word.startswith(_LICENSE_REF)}):
            # SPDX has no text for these, so it has to travel.
            if f"{name}.txt" not in names:
                raise RecipeError(
                    f"{path}: nobody knows what {name!r} says; add its text to {str(file)!r}: "
                    f'[files] "{name}.txt" = "…"'
                )


def read_review(answers: "Path | None", channel: Channel, model: ModelVersion, file: "Path") -> Review | None:
    """Read the answers about a model, and check that they are complete; None where nobody asks for any.

    Args:
        answers: their file; None where `file` names none.
        file: the recipe, or whatever else names the answers.

    Raises:
        RecipeError: the channel has a questionnaire and the recipe no answers, or they are incomplete or wrong.
        ChannelError: the questionnaire is wrong.
    """
    own = questionnaire_of(channel)
    if answers is None:
        if own is None and reviewers_of(channel) is None:
            return None
        raise RecipeError(
            f"{file}: this channel has reviewers or a questionnaire, and the recipe names no answers; "
            f'write them (`sealift-bundler review new {model.name}`) and add: review = "review.toml"'
        )
    questionnaire = own or parse_questionnaire(default_bytes())
    given = read_answers(answers, questionnaire)
    given.require_complete(questionnaire)
    return Review(given, questionnaire)


def questionnaire_of(channel: Channel) -> Questionnaire | None:
    """Return the channel's questionnaire; None where it has none.

    Raises:
        ChannelError: it cannot be read, or is wrong.
    """
    data = channel.questionnaire()
    return None if data is None else parse_questionnaire(data, str(channel.directory / FILE_NAME))
