"""Compare the manifests of deploy/kserve with KServe's own resource definitions; no cluster is asked.

make kserve KSERVE=FOLDER     the folder of KServe's definitions (config/crd/full of its repository)
"""

import sys
from pathlib import Path

import jsonschema
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "kserve"


def strict(schema: object) -> object:
    """Refuse properties that a schema does not name, as the API server does under strict field validation."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        closed["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields", False))
    return closed


def definitions(folder: Path) -> dict[tuple[str, str], object]:
    """API version and kind to schema."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                spec = document["spec"]
                for version in spec["versions"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {"type": "object"}
                    found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def problems(manifest: dict[str, object], known: dict[tuple[str, str], object]) -> list[str]:
    kind = (str(manifest["apiVersion"]), str(manifest["kind"]))
    if kind not in known:
        return [f"no definition of {kind}"]
    checker = jsonschema.Draft202012Validator(known[kind])
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in checker.iter_errors(manifest)]


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
    known = definitions(folder) if folder.is_dir() else {}
    if not known:
        sys.exit("make kserve needs KSERVE, the folder of KServe's resource definitions")
    wrong = 0
    for path in sorted(DEPLOY.glob("*.yaml")):
        manifest = yaml.safe_load(path.read_text("utf-8"))
        found = problems(manifest, known)
        print(f"{path.name}: {manifest['kind']} of {manifest['apiVersion']}: {len(found)} problems", *found, sep="\n  ")
        wrong += len(found)
        # A misspelled field is found, or the check says nothing.
        spec = next(iter(manifest["spec"].values()))
        (spec[0] if isinstance(spec, list) else spec)["misspelled"] = 1
        if not any("misspelled" in one for one in problems(manifest, known)):
            print(f"{path.name}: a misspelled field would not be found")
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
