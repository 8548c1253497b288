"""What a version is made of, as sections: its bill of materials, its files, and the texts among them."""

from collections.abc import Iterator, Mapping
from typing import Any

from sealift_bundler.disclosure import redacted
from sealift_bundler.dossier.gathering import Version
from sealift_bundler.proof.pages.table import shown, table
from sealift_common.pages.page import line

_MANY = 200


def materials_section(version: Version) -> Iterator[str]:
    """Write the data sets and libraries of the bill of materials."""
    yield "<h2>Bill of materials</h2>"
    bom = version.bom
    if bom is None:
        yield '<p class="soft">There is none: it comes with the answers to a questionnaire.</p>'
        return
    form = f"{_text(bom.get('bomFormat'))} {_text(bom.get('specVersion'))}".strip()
    yield f'<p class="soft">{shown(form)}, <code>{shown(_text(bom.get("serialNumber")))}</code></p>'
    components = _objects(bom.get("components"))
    data = [one for one in components if one.get("type") == "data"]
    others = [one for one in components if one.get("type") != "data"]
    if data:
        yield table(
            ("data set", "classification", "sensitive", "owner", "license", "SHA-256"), [_dataset(one) for one in data]
        )
    yield "<h3>Made with</h3>"
    yield table(("name", "version", "kind"), [_named(one) for one in others[:_MANY]])
    card = _object(_object(_object(bom.get("metadata")).get("component")).get("modelCard"))
    parameters = _object(card.get("modelParameters"))
    rows = [
        (name, _text(parameters.get(key))) for name, key in (("task", "task"), ("architecture", "modelArchitecture"))
    ]
    rows += [
        (f"metric: {_text(one.get('type'))}", f"{_text(one.get('value'))} {_text(one.get('slice'))}".strip())
        for one in _objects(_object(card.get("quantitativeAnalysis")).get("performanceMetrics"))
    ]
    rows = [row for row in rows if row[1]]
    if rows:
        yield "<h3>Model card</h3>"
        yield table(("", ""), rows)


def files_section(version: Version) -> Iterator[str]:
    """Write the files with their digests, and the texts that people read."""
    yield "<h2>Files</h2>"
    files, formats = version.contents.manifest.files, version.described.formats
    if formats:
        yield table(
            ("file", "format", "#bytes", "digest"),
            [(one.name, formats.get(one.name, ""), f"{one.plain.size:,}", one.plain.digest) for one in files],
        )
    else:
        yield table(
            ("file", "#bytes", "digest"), [(one.name, f"{one.plain.size:,}", one.plain.digest) for one in files]
        )
    for name, text in version.texts.items():
        yield f"<h3>{shown(name)}</h3>"
        # As one value it would be withheld whole.
        yield f"<pre>{chr(10).join(line(redacted(one)) for one in text.rstrip().split(chr(10)))}</pre>"


def _dataset(one: Mapping[str, Any]) -> tuple[str, ...]:
    first = next(iter(_objects(one.get("data"))), {})
    owners = _objects(_object(first.get("governance")).get("owners"))
    sensitive = first.get("sensitiveData")
    hashes = _objects(one.get("hashes"))
    licenses = _objects(one.get("licenses"))
    return (
        _text(one.get("name")),
        _text(first.get("classification")),
        ", ".join(map(_text, sensitive)) if isinstance(sensitive, list) else "",
        ", ".join(_text(_object(owner.get("organization")).get("name")) for owner in owners),
        ", ".join(_text(entry.get("expression")) for entry in licenses),
        ", ".join(_text(entry.get("content")) for entry in hashes),
    )


def _named(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return _text(one.get("name")), _text(one.get("version")), _text(one.get("type"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
