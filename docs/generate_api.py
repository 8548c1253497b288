"""Write docs/reference/api.md from the public names and their docstrings; `--check` only compares."""

import argparse
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import sealift
import sealift.testing
import sealift_bundler
import sealift_pipeline

PAGE = Path(__file__).parent / "reference" / "api.md"

HEAD = """\
<!-- Written by docs/generate_api.py from the docstrings; run `make docs` after a change. -->

# The Python interface

What an application may rely on: the names on this page, the [errors](errors.md), and nothing else. Every error is a
subclass of `sealift.Error`. Shapes are written as `[rows, columns]`; dtypes are NumPy's. The package is typed
(`py.typed`), also under `mypy --strict`.
"""

# In the order in which a reader needs them; the errors have a page of their own.
SECTIONS: dict[str, tuple[Any, list[str]]] = {
    "sealift": (sealift, ["load", "models", "ActiveModel", "Switch", "Model", "Store", "Prediction"]),
    "sealift.testing": (sealift.testing, ["toy_store", "ToyModel", "ToyGraphs", "ToyFiles", "ToyStore"]),
    "sealift_bundler": (sealift_bundler, ["convert", "Conversion"]),
    "sealift_pipeline": (sealift_pipeline, ["events", "split", "scrub", "pseudonym", "Snapshot"]),
}
_SECTION = re.compile(r"^(Args|Attributes|Returns|Warns|Raises):$")
_ITEM = re.compile(r"^([\w`, .*]+): (.*)$")


def render() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for path, (module, names) in SECTIONS.items():
        parts.append(f"## {path}\n")
        if path != "sealift":
            parts.append(_prose(inspect.getdoc(module) or "") + "\n")
        for name in names:
            parts.extend(_entry(f"{path}.{name}", getattr(module, name)))
    return "\n".join(parts)


def _entry(path: str, value: Any) -> Iterator[str]:
    yield f"### {path}\n"
    if not inspect.isclass(value):
        yield f"```python\n{_signature(value.__name__, value)}\n```\n"
        yield _prose(inspect.getdoc(value) or "") + "\n"
        return
    yield f"```python\n{_class_signature(value)}\n```\n"
    yield _prose(inspect.getdoc(value) or "") + "\n"
    for name, member in vars(value).items():
        if name.startswith("_") or name in _field_names(value):
            continue
        if isinstance(member, property | cached_property):
            getter = member.func if isinstance(member, cached_property) else member.fget
            kind = _type(inspect.signature(getter).return_annotation) if getter else ""
            yield f"#### {value.__name__}.{name}: `{kind}`\n"
        elif callable(member) or isinstance(member, classmethod):
            function = member.__func__ if isinstance(member, classmethod) else member
            yield f"#### {value.__name__}.{name}\n\n```python\n{_signature(name, function)}\n```\n"
        else:
            continue
        yield _prose(inspect.getdoc(member) or "") + "\n"


def _field_names(value: Any) -> list[str]:
    if _is_named_tuple(value):
        return list(value._fields)
    return [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []


def _is_named_tuple(value: Any) -> bool:
    return issubclass(value, tuple) and hasattr(value, "_fields")


def _class_signature(value: Any) -> str:
    head = f"class {value.__name__}"
    if dataclasses.is_dataclass(value):
        lines = [f"    {field.name}: {_type(field.type)}{_default(field)}" for field in dataclasses.fields(value)]
        return "\n".join([f"{head}:  # frozen dataclass", *lines])
    if _is_named_tuple(value):
        lines = [f"    {name}: {_type(value.__annotations__[name])}" for name in value._fields]
        return "\n".join([f"{head}(NamedTuple):", *lines])
    # Only a class that an application makes itself shows how.
    return head if value.__name__ in ("Model", "ToyStore") else _signature(head, value.__init__)


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default_factory is not dataclasses.MISSING:
        return f" = {_written(field.default_factory())}"
    return "" if field.default is dataclasses.MISSING else f" = {_written(field.default)}"


def _written(value: Any) -> str:
    """As the formatter writes it, which also looks into Markdown."""
    return repr(value).replace("'", '"')


def _signature(name: str, function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    written = [_parameter(one) for one in parameters]
    first = next((place for place, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY), None)
    if first is not None:
        written.insert(first, "*")
    returns = signature.return_annotation
    result = "" if returns in (inspect.Signature.empty, None) else f" -> {_type(returns)}"
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    if inspect.isgeneratorfunction(inspect.unwrap(function)) and function is not inspect.unwrap(function):
        # What `contextmanager` made of it.
        prefix = "@contextmanager\n"
    line = f"{prefix}{name}({', '.join(written)}){result}"
    if len(line) <= 100:
        return line
    return f"{prefix}{name}(\n" + "".join(f"    {one},\n" for one in written) + f"){result}"


def _parameter(one: inspect.Parameter) -> str:
    kind = "" if one.annotation is one.empty else f": {_type(one.annotation)}"
    default = "" if one.default is one.empty else f" = {_written(one.default)}"
    return f"{one.name}{kind}{default}"


def _type(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    # The module of a type says nothing to a reader who knows the type.
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", text)
    return text.replace("ndarray[tuple[Any, ...], dtype[Any]]", "NDArray").replace("'", "").replace('"', "")


def _prose(docstring: str) -> str:
    """Turn a docstring into Markdown: its sections become lists."""
    found: list[str] = []
    section = ""
    for line in inspect.cleandoc(docstring).splitlines():
        heading = _SECTION.match(line)
        if heading:
            section = heading[1]
            found.append(f"**{section}**\n")
        elif section and line.startswith("    "):
            item = _ITEM.match(line.strip()) if not line.startswith("        ") else None
            if item and section != "Returns":
                found.append(f"- {', '.join(f'`{one}`' for one in item[1].split(', '))}: {item[2]}")
            else:
                found.append(("  " if section != "Returns" else "") + line.strip())
        elif line.startswith("    ") and not section:
            found.append(line)
        else:
            section = section if not line else ""
            found.append(line)
    return "\n".join(found).strip()


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    if parser.parse_args().check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{PAGE.name} is out of date; run: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
