"""No alarm about what everybody may read: vocabularies of public texts, of words, pairs of words and characters."""

import json
import re
import sys
import unicodedata
import zoneinfo
from collections.abc import Iterator
from html.entities import html5
from importlib.metadata import distribution
from itertools import islice
from pathlib import Path

import pytest

from sealift_bundler.disclosure import Finding, findings_in
from sealift_bundler.disclosure.terms import joined

PACKAGES = ("click", "cryptography", "hypothesis", "joblib", "magika", "numpy", "onnx", "pandas", "pytest", "tuf")


def package_file(package: str, name: str) -> Path:
    found = distribution(package)
    return next(Path(str(found.locate_file(path))) for path in found.files or () if path.name == name)


def table(package: str, name: str) -> list[str]:
    return package_file(package, name).read_text("utf-8").replace(",", "\n").splitlines()


def without_addresses(text: str) -> str:
    """Texts of packages name people to write to, and these are found even in terms of five characters."""
    return re.sub(r"\S+@\S+", "", text)


def sklearn_descriptions() -> Iterator[str]:
    for path in sorted(Path(str(distribution("scikit-learn").locate_file("sklearn/datasets/descr"))).glob("*.rst")):
        yield without_addresses(path.read_text("utf-8"))


def package_descriptions() -> Iterator[str]:
    for package in PACKAGES:
        yield without_addresses((distribution(package).read_text("METADATA") or "").partition("\n\n")[2])


def topics_of_python() -> Iterator[str]:
    from pydoc_data.topics import topics

    return islice(topics.values(), 30)


def operators_of_onnx() -> Iterator[str]:
    import onnx.defs

    for schema in onnx.defs.get_all_schemas():
        yield f"{schema.name} {schema.domain} {schema.doc}"


def statsmodels_descriptions() -> Iterator[str]:
    for path in sorted(Path(str(distribution("statsmodels").locate_file("statsmodels/datasets"))).glob("*/data.py")):
        yield path.read_text("utf-8")


def profanity() -> list[str]:
    import joblib

    return list(joblib.load(package_file("alt-profanity-check", "vectorizer.joblib")).get_feature_names_out())


TEXTS = {
    "scikit-learn": sklearn_descriptions,
    "packages": package_descriptions,
    "Python": topics_of_python,
    "ONNX": operators_of_onnx,
    "statsmodels": statsmodels_descriptions,
    "license": lambda: iter([package_file("cryptography", "LICENSE.APACHE").read_text("utf-8")]),
}
LISTS = {
    "profanity": profanity,
    "magika": lambda: json.loads(package_file("magika", "config.min.json").read_text("utf-8"))["target_labels_space"],
    "automobiles": lambda: table("statsmodels", "autos.csv"),
    "airports": lambda: table("vega-datasets", "airports.csv"),
    "riots": lambda: table("vega-datasets", "la-riots.csv"),
    "characters": lambda: [unicodedata.name(chr(code), "") for code in range(0x3000)],
    "time zones": lambda: sorted(zoneinfo.available_timezones()),
    "entities": lambda: [*html5, *html5.values()],
    "modules": lambda: sorted(sys.stdlib_module_names),
    # Of 15 digits before the point, one in forty is the number of a card.
    "numbers": lambda: [repr(place / 7 * 10**power) for power in [*range(-20, 13), 16] for place in range(50)],
}


def told(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.line() for finding in findings]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("ngrams", [("word", (1, 2)), ("char_wb", (2, 5))], ids=["words", "characters"])
def test_a_vocabulary_of_a_public_text_raises_no_alarm(name: str, ngrams: tuple[str, tuple[int, int]]) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    analyzer, lengths = ngrams
    vectorizer = CountVectorizer(analyzer=analyzer, ngram_range=lengths)
    terms = list(vectorizer.fit(TEXTS[name]()).vocabulary_)
    assert len(terms) > 300
    assert told(findings_in(terms)) == []
    if analyzer == "char_wb":
        assert told(findings_in(joined(terms)[0])) == []


@pytest.mark.parametrize("name", TEXTS)
def test_lines_of_a_public_text_raise_no_alarm(name: str) -> None:
    assert [
        line for text in TEXTS[name]() for line in told(findings_in(text.splitlines())) if "e-mail" not in line
    ] == []


@pytest.mark.parametrize("name", LISTS)
def test_a_public_list_raises_no_alarm(name: str) -> None:
    assert told(findings_in(LISTS[name]())) == []
