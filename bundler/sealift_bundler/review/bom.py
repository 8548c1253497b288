"""`model.cdx.json`: the bill of materials of a version, as CycloneDX 1.6 describes machine-learning models.

The same answers and files give the same bytes: the serial number comes from the content (RFC 9562, version 5), and the
time is the model's own. Written here because it is one table; the tests hold it against the official schema.

https://cyclonedx.org/docs/1.6/json/
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import rfc8785

from sealift.model.documents.description import ModelDescription
from sealift_bundler.review.answers import Answers
from sealift_common.names import ModelVersion

FILE_NAME = "model.cdx.json"
_NAMESPACE = uuid.UUID("6c2b7f0e-3a0f-5d2c-9a41-1f6f2a2f6c11")


def bom_bytes(
    model: ModelVersion,
    descriptions: Mapping[str, ModelDescription],
    files: Mapping[str, bytes | Path],
    answers: Answers,
    *,
    created_at: str,
    text: str = "",
) -> bytes:
    """Return the bill of materials.

    Args:
        descriptions: of the model under "", or of each of several graphs under its name.
        files: the version's files, whose digests it lists; it is not among them.
        created_at: RFC 3339, when the model was made.
        text: what the model is, for people.
    """
    versions: dict[str, object] = {}
    for one in descriptions.values():
        versions |= one.source.get("versions", {})
    libraries = [_library(name, str(version)) for name, version in sorted(versions.items())]
    datasets = [_dataset(number, dataset) for number, dataset in enumerate(answers.datasets, 1)]
    main = _model(model, descriptions, files, answers, text)
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"timestamp": created_at, "component": main},
        "components": [*datasets, *libraries],
        "dependencies": [
            {"ref": main["bom-ref"], "dependsOn": [one["bom-ref"] for one in (*datasets, *libraries)]},
        ],
    }
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, rfc8785.dumps(document).hex())}"
    return rfc8785.dumps(document)


def _model(
    model: ModelVersion,
    descriptions: Mapping[str, ModelDescription],
    files: Mapping[str, bytes | Path],
    answers: Answers,
    text: str,
) -> dict[str, Any]:
    licenses = answers.tables.get("licenses", {})
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": model.name,
        "version": str(model.version),
        "modelCard": _card(descriptions, answers),
        "components": [_file(name, data) for name, data in sorted(files.items())],
    }
    if text:
        component["description"] = text
    if "model" in licenses:
        component["licenses"] = [{"expression": licenses["model"]}]
    return component


def _card(descriptions: Mapping[str, ModelDescription], answers: Answers) -> dict[str, Any]:
    # The schema knows one model: what is of one of several graphs begins with that graph's name.
    named = [(f"{name}: " if name else "", one) for name, one in sorted(descriptions.items())]
    estimators = [(name, str(one.source.get("estimator", ""))) for name, one in named]
    parameters: dict[str, Any] = {
        "task": "; ".join(f"{name}{one.task}" for name, one in named if one.task),
        "modelArchitecture": "; ".join(f"{name}{estimator}" for name, estimator in estimators if estimator)[:2000],
        "datasets": [{"ref": f"dataset-{number}"} for number, _ in enumerate(answers.datasets, 1)],
        "inputs": [{"format": f"{name}{put.name}: {put.dtype}"} for name, one in named for put in one.inputs],
        "outputs": [{"format": f"{name}{put.name}: {put.dtype}"} for name, one in named for put in one.outputs],
    }
    card: dict[str, Any] = {"modelParameters": {name: value for name, value in parameters.items() if value}}
    metrics = list(_metrics(answers.tables.get("evaluation", {})))
    if metrics:
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    considerations = _considerations(answers.tables)
    if considerations:
        card["considerations"] = considerations
    return card


def _metrics(evaluation: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for name, value in evaluation.get("metrics", {}).items():
        yield {"type": name, "value": f"{value:g}"}
    for one in evaluation.get("slices", []):
        for name, value in one.items():
            if name != "name":
                yield {"type": name, "value": f"{value:g}", "slice": one["name"]}


def _considerations(tables: Mapping[str, Any]) -> dict[str, Any]:
    use, abuse = tables.get("use", {}), tables.get("abuse", {})
    cases = [use["purpose"]] if use.get("purpose") else []
    cases += [f"not: {one}" for one in use.get("out_of_scope", [])]
    risks = [{"name": name, "mitigationStrategy": abuse.get("mitigation", "")} for name in abuse.get("atlas", [])]
    if not risks and abuse.get("mitigation"):
        risks = [{"name": "misuse", "mitigationStrategy": abuse["mitigation"]}]
    found = {
        "users": use.get("users", []),
        "useCases": cases,
        "technicalLimitations": tables.get("limits", {}).get("known", []),
        "ethicalConsiderations": risks,
    }
    return {name: value for name, value in found.items() if value}


def _file(name: str, content: bytes | Path) -> dict[str, Any]:
    if isinstance(content, Path):
        with content.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    else:
        digest = hashlib.sha256(content).hexdigest()
    return {"type": "file", "name": name, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _library(name: str, version: str) -> dict[str, Any]:
    kind = "platform" if name == "python" else "library"
    return {"type": kind, "bom-ref": f"library-{name}", "name": name, "version": version, "scope": "excluded"}


def _dataset(number: int, dataset: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"type": "dataset", "name": dataset.get("name", f"data set {number}")}
    if dataset.get("classification"):
        data["classification"] = dataset["classification"]
    sensitive = ["personal data"] if dataset.get("personal_data") else []
    sensitive += ["content of private projects"] if dataset.get("private_projects") else []
    if sensitive:
        data["sensitiveData"] = sensitive
    if dataset.get("owner"):
        data["governance"] = {"owners": [{"organization": {"name": dataset["owner"]}}]}
    component: dict[str, Any] = {
        "type": "data",
        "bom-ref": f"dataset-{number}",
        "name": data["name"],
        "data": [data],
    }
    if dataset.get("license"):
        component["licenses"] = [{"expression": dataset["license"]}]
    if dataset.get("sha256"):
        content = dataset["sha256"].removeprefix("sha256:")
        component["hashes"] = [{"alg": "SHA-256", "content": content}]
    return component
