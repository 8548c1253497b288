"""The recipe: one TOML file next to the model that says what to release.

    name = "issue-triage"            # required: name, version, source, samples
    version = "1.4.0"
    source = "model.joblib"          # paths are relative to the recipe; or mlflow://models/NAME/VERSION,
    registry = "gitlab://HOST/G%2FP" #   of this registry of models, with the digest of
    source_digest = "sha256:…"       #   its files, and `created_at`
    samples = "samples.csv"
    golden = "generated"             # rows that travel: "generated", "samples", or a file of rows
    holdout = "unseen.csv"           # rows of no training, to probe the model; they go nowhere
    title = "Issue triage"           # title, description, authors, licenses, vendor, revision,
    licenses = ["MIT"]               #   source_url and created_at go into the manifest's descriptor
    import = ["our.module"]          # modules that register converters with skl2onnx, imported before the model
    trust_globals = ["our.steps.Clipped"]  # classes and functions of your own that a pickle may use
    license_file = "LICENSE"         # installed as LICENSE
    card = "CARD.md"                 # installed as CARD.md
    review = "review.toml"           # answers for reviewers; installed as REVIEW.json and model.cdx.json
    [parity]                         # how far scores may be from the original's
    atol = 1e-6
    rtol = 1e-5
    [convert]                        # options for the converter; none takes any yet, so `add` refuses them
    [files]                          # more documents: installed name = path
    "NOTICE" = "NOTICE.txt"
    [graphs]                         # in place of `source`: several graphs that belong together, by name,
    encoder = "encoder.onnx"         #   with samples.encoder = "encoder.npz", and golden.encoder where it is chosen
    [frontend]                       # a graph of tokens takes texts: its tokenizer, and what is made of its answers
    tokenizer = "tokenizer.json"     #   installed as tokenizer.json; max_tokens with special ones; pooling "mean",
    max_tokens = 256                 #   "cls" or "none"; normalize to the length 1; or labels = ["no", "yes"]
    # kind = "files"                 # weights and what goes with them, carried as they are: [files] alone, no source
    [[accepted]]                     # one finding of the disclosure scan that may leave, as `add` printed it
    kind = "e-mail"
    file = "model.onnx"
    fingerprint = "0f3c…"
    reason = "shared mailboxes, public"

Reading is strict: an unknown key is an error, because a misspelled `licences` would be lost silently.
"""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sealift.errors import Error, UsageError
from sealift.model.documents.description import GRAPHS, MODEL
from sealift.model.documents.file_set import problem_of as problem_of_side_file
from sealift.model.frontend.tokenizer.declared import SUFFIX as TOKENIZER_FILE
from sealift_bundler.converters.encoders.settings import TextFrontend
from sealift_bundler.disclosure.judgement import Acceptance
from sealift_bundler.errors import RecipeError
from sealift_bundler.given_file import broken_link, require_written
from sealift_bundler.release.recipes.frontend import FRONTEND_KEYS, problem_of_frontend
from sealift_bundler.release.recipes.kinds import REQUIRED_OF, GraphRecipe, problem_of_graphs, problem_of_kind
from sealift_bundler.release.recipes.registered import KEYS as REGISTERED_KEYS
from sealift_bundler.release.recipes.registered import problem_of_registered, registered_of
from sealift_bundler.review.answers import read_acceptances
from sealift_bundler.review.bom import FILE_NAME as BOM
from sealift_bundler.review.keys import SPDX
from sealift_bundler.source.modules import is_module_name
from sealift_bundler.source.registered_source import RegisteredSource
from sealift_bundler.source.trusted_globals import problem_of
from sealift_common.clock import VARIABLE, release_time, rfc3339
from sealift_common.names import ModelVersion, is_model_name
from sealift_common.parsing.strict_toml import StrictToml, read_text
from sealift_common.review.record import FILE_NAME as RECORD

REQUIRED = REQUIRED_OF[MODEL]
ROWS = ("golden", "holdout")
TEXTS = (
    *("kind", "title", "description", "license_file", "card", "review", "vendor", "revision", "source_url"),
    "created_at",
    *REGISTERED_KEYS,
)
LISTS = ("authors", "licenses", "import", "trust_globals")
TABLES = ("parity", "convert", "files", "graphs", "frontend")
KEYS = (*REQUIRED, *ROWS, *TEXTS, *LISTS, *TABLES, "accepted")
# Whose rows travel; anything else is the path of a file.
GOLDEN_CHOICES = ("generated", "samples")
PARITY_KEYS = ("atol", "rtol")

# Where other keys go, by the names of the files.
CARD, LICENSE = "CARD.md", "LICENSE"
_OWN_KEYS = {CARD.casefold(): "card", LICENSE.casefold(): "license_file", RECORD.casefold(): "review"}


@dataclass(frozen=True)
class Recipe:
    """A checked recipe; every path in it exists.

    Attributes:
        path: the recipe file itself.
        model: the name and version to release.
        kind: "model", "graphs", or "files" for what is carried and not converted.
        source: the trained model; None where there is none, or several, or it is in a registry.
        registered: where the trained model is in a registry; None where it is a path.
        samples: rows that the original and the converted model must agree on; None as for `source`.
        graphs: several graphs by their names, in place of `source` and `samples`; empty for a single model.
        golden: whose rows travel: "generated", "samples", a file of rows, or None where the recipe does not say.
        holdout: rows that the model was not trained on, to probe it; None where there are none.
        atol: absolute tolerance of scores; None leaves it to the converter.
        rtol: relative tolerance of scores; None leaves it to the converter.
        imports: modules to import before the model is opened; whether they exist is not checked here.
        trust_globals: full names of classes and functions that a pickle may use besides those of known libraries.
        frontend: the tokenizer of a graph of tokens; None for any other model.
        options: the `[convert]` table; not checked here.
        documents: name within the model version to file, with CARD.md and LICENSE.
        accepted: findings of the disclosure scan that may leave; whether they are there is not checked here.
        review: answers about the model; None where there are none. What is in the file is not checked here.
    """

    path: Path
    model: ModelVersion
    kind: str = MODEL
    source: Path | None = None
    registered: RegisteredSource | None = None
    samples: Path | None = None
    graphs: Mapping[str, GraphRecipe] = field(default_factory=lambda: MappingProxyType({}))
    golden: str | Path | None = None
    holdout: Path | None = None
    title: str = ""
    description: str = ""
    authors: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    vendor: str = ""
    revision: str = ""
    source_url: str = ""
    created_at: str = ""
    atol: float | None = None
    rtol: float | None = None
    imports: tuple[str, ...] = ()
    trust_globals: tuple[str, ...] = ()
    frontend: TextFrontend | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    documents: Mapping[str, Path] = field(default_factory=lambda: MappingProxyType({}))
    accepted: tuple[Acceptance, ...] = ()
    review: Path | None = None

    @classmethod
    def load(cls, path: Path | str) -> "Recipe":
        """Read and check a recipe.

        Raises:
            RecipeError: the file is missing, not TOML, or a key or value in it is wrong; the message
                names the file, the line where it is known, and the key.
        """
        path = Path(path)
        return _Reader(path).recipe()

    def creation_time(self) -> str:
        """Time at which the model was made, RFC 3339: `created_at`, `SOURCE_DATE_EPOCH`, or the source's own date.

        Without one source it is the date of the youngest graph or file.

        Never the current time: adding the same model twice has to give the same bytes.
        """
        if self.created_at:
            return self.created_at
        if VARIABLE in os.environ:
            return rfc3339(release_time())
        return rfc3339(datetime.fromtimestamp(max(int(path.stat().st_mtime) for path in self.sources.values()), UTC))

    @property
    def sources(self) -> Mapping[str, Path]:
        """What the version is made of: the model under "", each graph by its name, or the files by theirs."""
        if self.source is not None:
            return {"": self.source}
        return {name: graph.source for name, graph in self.graphs.items()} or self.documents


class _Reader:
    """Takes one document apart; holds the path and the text for its messages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = read_text(path, "recipe", RecipeError)
        self._toml = StrictToml(text, name=str(path), what="recipe", error=RecipeError)
        self._document = self._toml.document

    def recipe(self) -> Recipe:
        """Check everything, in the order of the file format's description."""
        document = self._document
        self._toml.check_keys(document, KEYS)
        kind = self._kind()
        missing = [key for key in REQUIRED_OF[kind] if key not in document]
        if missing:
            raise RecipeError(
                f"recipe {str(self._path)!r}: {', '.join(map(repr, missing))} missing; add {missing[0]} = …"
            )
        if problem := problem_of_registered(document):
            raise self._toml.error(*problem)
        registered = registered_of(document)
        graphs = self._graphs() if kind == GRAPHS else {}
        # Of several graphs, these are tables, and were read with them.
        apart = ("samples", "golden") if graphs else ()
        texts = {key: "" if key in apart else self._text_of(key) for key in (*REQUIRED, *ROWS, *TEXTS)}
        try:
            model = ModelVersion.parse(texts["name"], texts["version"])
        except UsageError as error:
            raise self._toml.error("version" if is_model_name(texts["name"]) else "name", str(error)) from error
        parity = self._toml.table("parity")
        self._toml.check_keys(parity, PARITY_KEYS, "parity")
        return Recipe(
            path=self._path,
            model=model,
            kind=kind,
            source=self._existing("source", texts["source"], folder=True)
            if texts["source"] and registered is None
            else None,
            registered=registered,
            samples=self._existing("samples", texts["samples"], folder=False) if texts["samples"] else None,
            graphs=MappingProxyType(graphs),
            golden=self._golden(texts["golden"]),
            holdout=self._existing("holdout", texts["holdout"], folder=False) if texts["holdout"] else None,
            title=texts["title"],
            description=texts["description"],
            authors=self._list_of("authors"),
            licenses=self._licenses(),
            vendor=texts["vendor"],
            revision=texts["revision"],
            source_url=texts["source_url"],
            created_at=self._time(texts["created_at"]),
            atol=self._tolerance(parity, "atol"),
            rtol=self._tolerance(parity, "rtol"),
            imports=self._imports(),
            trust_globals=self._trust_globals(),
            frontend=self._frontend(),
            options=MappingProxyType(self._toml.table("convert")),
            documents=MappingProxyType(self._documents(texts["card"], texts["license_file"])),
            accepted=tuple(read_acceptances(self._toml)),
            review=self._existing("review", texts["review"], folder=False) if texts["review"] else None,
        )

    def _kind(self) -> str:
        kind = self._text_of("kind") or (GRAPHS if "graphs" in self._document else MODEL)
        if problem := problem_of_kind(self._document, kind):
            raise self._toml.error(*problem)
        return kind

    def _graphs(self) -> dict[str, GraphRecipe]:
        sources, samples, golden = (self._toml.table(key) for key in ("graphs", "samples", "golden"))
        if problem := problem_of_graphs(sources, samples):
            raise self._toml.error(*problem, "graphs")
        self._toml.check_keys(samples, sources, "samples")
        self._toml.check_keys(golden, sources, "golden")
        return {
            name: GraphRecipe(
                self._existing(name, sources[name], folder=True, section="graphs"),
                self._existing(name, samples[name], folder=False, section="samples"),
                self._golden(str(golden.get(name, "")), key=name, section="golden"),
            )
            for name in sorted(sources)
        }

    def _frontend(self) -> TextFrontend | None:
        if "frontend" not in self._document:
            return None
        table = self._toml.table("frontend")
        self._toml.check_keys(table, FRONTEND_KEYS, "frontend")
        if problem := problem_of_frontend(table):
            raise self._toml.error(*problem, "frontend")
        path = self._existing("tokenizer", table["tokenizer"], folder=False, section="frontend")
        try:
            return TextFrontend(**{**table, "tokenizer": path, "labels": tuple(table.get("labels", ()))})
        except UsageError as error:
            raise self._toml.error("tokenizer", str(error), "frontend") from None

    def _golden(self, value: str, *, key: str = "golden", section: str = "") -> str | Path | None:
        if not value or value in GOLDEN_CHOICES:
            return value or None
        remedy = "correct the path, or say 'generated' or 'samples'"
        return self._existing(key, value, folder=False, section=section, remedy=remedy)

    def _text_of(self, key: str) -> str:
        value = self._document.get(key, "")
        if key == "created_at" and isinstance(value, datetime):
            value = value.isoformat()
        if not isinstance(value, str) or (key in self._document and not value.strip()):
            raise self._toml.error(key, f"{key!r} is {value!r}; expected a text that is not empty")
        return value

    def _list_of(self, key: str) -> tuple[str, ...]:
        value = self._document.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
            raise self._toml.error(key, f"{key!r} is {value!r}; expected a list of texts, for example {key} = ['…']")
        return tuple(value)

    def _licenses(self) -> tuple[str, ...]:
        licenses = self._list_of("licenses")
        for text in licenses:
            if not SPDX.fullmatch(text):
                raise self._toml.error(
                    "licenses", f"license {text!r} is not an SPDX expression; expected for example 'Apache-2.0'"
                )
        return licenses

    def _imports(self) -> tuple[str, ...]:
        names = self._list_of("import")
        for name in names:
            if not is_module_name(name):
                raise self._toml.error(
                    "import", f"'import' names {name!r}; expected a dotted name such as 'our.module'"
                )
        return names

    def _trust_globals(self) -> tuple[str, ...]:
        names = self._list_of("trust_globals")
        for name in names:
            if problem := problem_of(name):
                raise self._toml.error("trust_globals", f"'trust_globals' names {problem}")
        return names

    def _tolerance(self, parity: Mapping[str, Any], key: str) -> float | None:
        value = parity.get(key)
        if value is None:
            return None
        # A bool is an int in Python; `not (0 <= NaN)` refuses NaN as well.
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
            raise self._toml.error(key, f"{key!r} is {value!r}; expected a number from 0 to below 1", "parity")
        return float(value)

    def _time(self, text: str) -> str:
        if not text:
            return ""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise self._toml.error(
                "created_at", f"'created_at' is {text!r}; expected for example 2026-11-23T12:00:00Z"
            ) from error
        if moment.tzinfo is None:
            raise self._toml.error("created_at", f"'created_at' is {text!r}; it has no time zone, add 'Z' for UTC")
        return rfc3339(moment)

    def _documents(self, card: str, license_file: str) -> dict[str, Path]:
        documents = {}
        if card:
            documents[CARD] = self._existing("card", card, folder=False)
        if license_file:
            documents[LICENSE] = self._existing("license_file", license_file, folder=False)
        for name, value in self._toml.table("files").items():
            if problem := self._problem_of(name, documents):
                raise self._toml.error(name, f"{name[:120]!r} {problem}", "files")
            if not isinstance(value, str):
                raise self._toml.error(name, f"{name!r} is {value!r}; expected a path", "files")
            documents[name] = self._existing(name, value, folder=False, section="files")
        return documents

    def _problem_of(self, name: str, others: Collection[str]) -> str | None:
        key = _OWN_KEYS.get(name.casefold())
        if key is not None:
            return f"has a key of its own; write {key} = …"
        if "frontend" in self._document and name.casefold() == TOKENIZER_FILE:
            return "is the tokenizer of [frontend]; leave it out of [files]"
        if "review" in self._document and name.casefold() == BOM.casefold():
            # One of one's own may travel where a review makes none.
            return "is made by the review; leave it out of [files]"
        twice = next((other for other in others if other.casefold() == name.casefold()), None)
        if twice is not None:
            return f"and {twice[:120]!r} are one name on some file systems; rename one of them"
        return problem_of_side_file(name)

    def _existing(
        self, key: str, value: str, *, folder: bool, section: str = "", remedy: str = "correct the path"
    ) -> Path:
        path = self._path.parent / value
        if not path.exists():
            why = broken_link(path) or f"which does not exist next to the recipe; {remedy}"
            raise self._toml.error(key, f"{key!r} names {value!r}, {why}", section)
        if path.is_dir() and not folder:
            raise self._toml.error(key, f"{key!r} names the folder {value!r}; expected a file", section)
        try:
            if not path.is_dir():
                require_written(path)
        except Error as error:
            raise self._toml.error(key, f"{key!r} names {value!r}: {error}", section) from None
        return path
