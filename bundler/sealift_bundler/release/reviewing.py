"""The review of one recipe: its answers by the channel's questionnaire, and the documents that they become."""

from typing import TYPE_CHECKING, NamedTuple

from sealift_bundler.errors import RecipeError
from sealift_bundler.release.recipe import Recipe
from sealift_bundler.review.answers import Answers, read_answers
from sealift_bundler.review.bom import FILE_NAME as BOM
from sealift_bundler.review.bom import bom_bytes
from sealift_common.review.questionnaire import FILE_NAME, Questionnaire, default_bytes, parse_questionnaire
from sealift_common.review.record import FILE_NAME as RECORD
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sealift_bundler.disclosure import Disclosure
    from sealift_bundler.proof.conversion import Conversion

_LICENSE_REF = "LicenseRef-"
# Whose rows can travel as golden examples, from those that disclose most on.
_ROWS = ("samples", "file", "generated", "none")


class Review(NamedTuple):
    """Complete answers, and the questionnaire that asked for them."""

    answers: Answers
    questionnaire: Questionnaire

    def documents(
        self,
        recipe: Recipe,
        conversions: "Mapping[str, Conversion]",
        files: "Mapping[str, bytes | Path]",
        disclosure: "Disclosure",
    ) -> dict[str, bytes]:
        """Return the bill of materials and the record, as files of the version.

        Args:
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
        from sealift_bundler.release.graph_set import parts_of
        from sealift_bundler.review.digests import digest_of_all
        from sealift_bundler.review.record import record_bytes

        self._require_golden(recipe, conversions)
        self._require_licenses(recipe)
        described = files[DESCRIPTION]
        whole = ModelDescription.parse(described if isinstance(described, bytes) else described.read_bytes())
        descriptions = {name: one.description for name, one in conversions.items()} or {"": whole}
        samples = {name: graph.samples for name, graph in parts_of(recipe).items()} if conversions else {}
        probes = {name: one.probe for name, one in conversions.items()}
        versions: dict[str, str] = {}
        for conversion in conversions.values():
            versions |= conversion.description.source.get("versions", {})
        bom = bom_bytes(
            recipe.model, descriptions, files, self.answers, created_at=recipe.creation_time(), text=recipe.description
        )
        record = record_bytes(
            recipe.model,
            self.answers,
            self.questionnaire,
            disclosure,
            source=digest_of_all(recipe.sources),
            samples=digest_of_all(samples),
            probe=probes.get("", probes),
            versions={**versions, "sealift": __version__},
        )
        return {BOM: bom, RECORD: record}

    def _require_golden(self, recipe: Recipe, conversions: "Mapping[str, Conversion]") -> None:
        path, tables = self.answers.path, self.answers.tables
        said = tables.get("golden", {}).get("source")
        found = {one.description.conversion.get("golden") for one in conversions.values()} or {"none"}
        travels = next((rows for rows in _ROWS if rows in found), None)
        if said is not None and travels is not None and said != travels:
            raise RecipeError(
                f"{path}: [golden] source is {said!r}, and {travels} rows travel; correct the answer, or `golden` in "
                f"{str(recipe.path)!r}"
            )

    def _require_licenses(self, recipe: Recipe) -> None:
        path, licenses = self.answers.path, self.answers.tables.get("licenses", {})
        given = [
            licenses.get("model", ""),
            *licenses.get("data", []),
            *(one.get("license", "") for one in self.answers.datasets),
        ]
        for name in sorted({word for text in given for word in text.split() if word.startswith(_LICENSE_REF)}):
            # SPDX has no text for these, so it has to travel.
            if f"{name}.txt" not in recipe.documents:
                raise RecipeError(
                    f"{path}: nobody knows what {name!r} says; add its text to {str(recipe.path)!r}: "
                    f'[files] "{name}.txt" = "…"'
                )


def read_review(recipe: Recipe, channel: Channel) -> Review | None:
    """Read the answers that a recipe names, and check that they are complete; None where nobody asks for any.

    Raises:
        RecipeError: the channel has a questionnaire and the recipe no answers, or they are incomplete or wrong.
        ChannelError: the questionnaire is wrong.
    """
    own = questionnaire_of(channel)
    if recipe.review is None:
        if own is None and reviewers_of(channel) is None:
            return None
        raise RecipeError(
            f"{recipe.path}: this channel has reviewers or a questionnaire, and the recipe names no answers; "
            f'write them (`sealift-bundler review new {recipe.model.name}`) and add: review = "review.toml"'
        )
    questionnaire = own or parse_questionnaire(default_bytes())
    answers = read_answers(recipe.review, questionnaire)
    answers.require_complete(questionnaire)
    return Review(answers, questionnaire)


def questionnaire_of(channel: Channel) -> Questionnaire | None:
    """Return the channel's questionnaire; None where it has none.

    Raises:
        ChannelError: it cannot be read, or is wrong.
    """
    data = channel.questionnaire()
    return None if data is None else parse_questionnaire(data, str(channel.directory / FILE_NAME))
