"""Write docs/reference/errors.md from the error classes; `--check` only compares.

The classes are the truth: what a class says of itself is what the page says.
"""

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from pathlib import Path

import sealift
from sealift_common.errors import Error

PAGE = Path(__file__).parent / "reference" / "errors.md"
MODULES = ("sealift_common.errors", "sealift.errors", "sealift_bundler.errors", "sealift_pipeline.errors")

RANGES = {
    range(1, 2): (
        "Bug",
        "Please report it: a command printed a traceback. No refusal uses the root class.",
    ),
    range(2, 3): ("Usage", "The command line is wrong. Nothing was read or changed."),
    range(3, 4): ("Local operating system", "This machine refused: a path, an owner, a mode, a full disk."),
    range(10, 20): ("Malformed", "The file is not a bundle that this version can read."),
    range(20, 30): ("Refused by trust", "**Do not use this file.** Scripts should alert on this range alone."),
    range(30, 40): ("Store", "The store on this instance does not allow the step."),
    range(40, 50): ("Load", "The model cannot run here, or the values given to it do not fit."),
    range(50, 60): ("Build", "Building a release stopped; nothing was packed."),
    range(60, 70): ("Review", "A model version is not fit to leave; nothing was staged or released."),
    range(70, 80): ("Data and training", "Events, tables of them or a training run are not as they should be."),
}

HEAD = """\
<!-- Written by docs/generate_errors.py from the error classes; run `make docs` after a change. -->

# Errors and exit codes

Every refusal is a subclass of `sealift.Error`. `error.code` is a stable word for scripts and log
searches; `error.exit_code` is the exit status when one of the commands ends with that error;
`error.remedy` is what to do, for every error of the class. The message comes first and describes the case at hand: it
is one line on stderr that ends with the code in brackets:

    sealift: tuf/targets.json: signed by 1 of the 2 keys it needs [threshold]

Classes, codes and exit codes do not change their meaning between versions. New ones are added
inside the ranges below, so handle a range rather than a list. Exit status 0 means done; 130, 143 and
129 mean interrupted, with Ctrl-C, by `kill`, or by a terminal that was closed. A class that says more
exactly what another class says keeps its exit code, under a word of its own: the `chain-` errors of
`sealift-pipeline verify` are all 26.

With `--json` a command that is refused prints one document on stdout. Where several things stand in the way,
`problems` lists each in the same form; `findings` lists what the disclosure scan found:

    {"error": {"code": "threshold", "exit_code": 22, "message": "…", "remedy": "…"}}
"""


def error_classes() -> list[type[Error]]:
    """Return every error class that the `errors` modules define, by exit code."""

    def tree(cls: type[Error]) -> Iterator[type[Error]]:
        yield cls
        for child in cls.__subclasses__():
            yield from tree(child)

    for module in MODULES:
        import_module(module)
    return sorted((cls for cls in tree(Error) if cls.__module__ in MODULES), key=lambda cls: cls.exit_code)


def import_path(cls: type[Error]) -> str:
    """Return the name that user code imports the class by; the loader re-exports those of the keys."""
    return f"sealift.{cls.__name__}" if cls.__name__ in sealift.__all__ else f"{cls.__module__}.{cls.__name__}"


def render() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for codes, (title, meaning) in RANGES.items():
        numbers = f"{codes[0]}" if len(codes) == 1 else f"{codes[0]}-{codes[-1]}"
        parts.append(f"## {numbers}: {title}\n\n{meaning}\n")
        parts.append("| exit | code | class | meaning | what to do |\n|---|---|---|---|---|")
        for cls in error_classes():
            if cls.exit_code in codes:
                says, remedy = (
                    " ".join(cleandoc(text).split()).replace("|", "\\|") for text in (cls.__doc__ or "", cls.remedy)
                )
                parts.append(f"| {cls.exit_code} | `{cls.code}` | `{import_path(cls)}` | {says} | {remedy} |")
        parts.append("")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{PAGE.name} is out of date; run: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
