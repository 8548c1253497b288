"""Ask the real Helm about the example chart: lint, schema of the values, and the same objects as the tests render.

Helm's own library and the schemas of Kubernetes live in an environment of their own, made from
requirements/environments/helm.lock: 80 MB that nothing else needs. No cluster is asked.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.pages import chart

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "helm"
LOCK = ROOT / "requirements" / "environments" / "helm.lock"
GIVEN = {"root": '{"text": "<&> \u00e9 \\n"}', "bundle": "gitlab-models-2.tar", "model": "issue-triage"}
CLAIM = {"persistentVolumeClaim": {"claimName": "models"}}
CASES = [
    GIVEN,
    {
        **GIVEN,
        "storeVolume": {**CLAIM, "emptyDir": None},
        "podSecurityContext": {"fsGroup": 10001, "fsGroupChangePolicy": "OnRootMismatch"},
        "replicas": 2,
    },
    {
        **GIVEN,
        "bundle": "oci://registry.example:5000/models/gitlab-models:gitlab-models-2",
        "bundleVolume": {"emptyDir": {}, "persistentVolumeClaim": None},
        "registryVolume": {"secret": {"secretName": "sealift-registry"}, "emptyDir": None},
    },
    {**GIVEN, "server": {"enabled": True}},
]
REFUSED = [
    {},
    {**GIVEN, "bundle": "../x.tar"},
    {**GIVEN, "bundle": "oci://x y"},
    {**GIVEN, "model": "A B"},
    {**GIVEN, "root": ""},
    {**GIVEN, "server": {"enabled": "yes"}},
    {**GIVEN, "server": {"port": 8000}},
]
ASK = """
import json, sys
import helm_python as helm
import kubernetes_validate
import yaml

folder, cases, refused = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
said = helm.lint(folder, values=cases[0])
errors = list(said["errors"])
rendered = []
with helm.Chart.load(folder) as chart:
    for values in cases:
        chart.validate_schema(values)
        documents = [yaml.safe_load(text) for text in chart.render(values, name="demo", namespace="x").values()]
        for document in documents:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        rendered.append({document["kind"]: document for document in documents})
    for values in refused:
        try:
            chart.validate_schema(values)
            errors.append(f"values are accepted: {values}")
        except helm.HelmError:
            pass
print(json.dumps({"helm": helm.helm_sdk_version(), "kubernetes": kubernetes_validate.latest_version(),
                  "errors": errors, "rendered": rendered}))
"""


def environment() -> Path:
    """Make the environment once for each content of the lock file."""
    python = ENVIRONMENT / "bin" / "python"
    made_of = ENVIRONMENT / "made-of.lock"
    if not made_of.is_file() or made_of.read_bytes() != LOCK.read_bytes():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        options = ["--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", "-qq", *options, "-r", LOCK], check=True)
        made_of.write_bytes(LOCK.read_bytes())
    return python


def merged(values: dict[str, object]) -> dict[str, object]:
    """What Helm makes of given values: objects are merged with the defaults, null takes away."""
    defaults = chart.default_values()
    found = {}
    for key, value in values.items():
        both = {**defaults[key], **value} if isinstance(value, dict) else value
        found[key] = {name: item for name, item in both.items() if item is not None} if isinstance(both, dict) else both
    return found


def main() -> int:
    arguments = [str(chart.CHART), json.dumps(CASES), json.dumps(REFUSED)]
    done = subprocess.run([environment(), "-c", ASK, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    said = json.loads(done.stdout.splitlines()[-1])
    errors = list(said["errors"])
    for values, real in zip(CASES, said["rendered"], strict=True):
        if chart.render(merged(values), "demo") != real:
            errors.append(f"the tests render something else than Helm for {values}")
    print(f"Helm {said['helm']}, schemas of Kubernetes {said['kubernetes']}: {len(CASES)} renderings compared")
    print(*errors, sep="\n", file=sys.stderr)
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
