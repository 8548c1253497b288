"""The example chart as Kubernetes objects, by the four template forms that it uses; `make chart` asks the real Helm."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[3] / "deploy" / "helm" / "sealift-example"
# Not nested.
_IF = re.compile(r"\s*\{\{- if (?P<value>\S+) \}\}(?P<body>.*?)\s*\{\{- end \}\}", re.DOTALL)
_ACTION = re.compile(r"(?P<lead>\n *)?\{\{(?P<trim>-)? (?P<text>[^{}]*) \}\}")


def default_values() -> dict[str, Any]:
    return yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))


def render(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Kind to object, with `values` over the defaults; top-level values replace."""
    scope = {"Values": {**default_values(), **values}, "Release": {"Name": name}}

    def fill(match: re.Match[str]) -> str:
        text = _action(match["text"], scope)
        return text if match["trim"] else f"{match['lead'] or ''}{text}"

    def choose(match: re.Match[str]) -> str:
        return match["body"] if _value(match["value"], scope) else ""

    found = {}
    for template in sorted((CHART / "templates").iterdir()):
        document = yaml.safe_load(_ACTION.sub(fill, _IF.sub(choose, template.read_text("utf-8"))))
        found[document["kind"]] = document
    return found


def _action(text: str, scope: Mapping[str, Any]) -> str:
    if match := re.fullmatch(r"toYaml (\S+) \| nindent (\d+)", text):
        lines = yaml.safe_dump(_value(match[1], scope)).splitlines()
        return "\n" + "\n".join(" " * int(match[2]) + line for line in lines)
    if match := re.fullmatch(r"toJson (\S+)", text):
        return json.dumps(_value(match[1], scope))
    if re.fullmatch(r"\.\S+", text):
        return str(_value(text, scope))
    raise AssertionError(f"the chart uses a template form that its tests do not know: {text}")


def _value(path: str, scope: Any) -> Any:
    for part in path.removeprefix(".").split("."):
        scope = scope[part]
    return scope
