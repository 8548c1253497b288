"""Write docs/reference/coverage.md: what becomes of each scikit-learn estimator when it is converted.

Each estimator is fitted on data that suits it, converted, and compared with the original on rows that the
conversion never saw. It takes some minutes.
"""

import re
import sys
import warnings
from pathlib import Path

import sklearn

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "coverage.md"

HEAD = """\
<!-- Written by docs/generate_coverage.py; run `make coverage-page` after a change. -->

# Which scikit-learn estimators convert

Measured with scikit-learn {version}: every estimator of `sklearn.utils.all_estimators` is fitted on data
that suits it, converted, and compared on 400 rows that the conversion never saw. Classifiers are tried on
two and three classes, with labels of text, integers and booleans. "Agrees" means every label is equal and
every number within 1e-5, absolute or relative. Of {total} estimators, **{agrees} agree, {refused} are
refused by name, {disagrees} disagree**.

The rung is the one that proved itself: "float32", or "float64" where float32 was not exact enough.
A refusal is what `sealift-bundler convert` says; nothing is packed after one.

None of these needs skl2onnx. An estimator that is not on this page, for example
[one of your own](../how-to/build/build-a-release.md#convert-an-estimator-of-your-own), converts where skl2onnx has a
converter for it; its rung is "skl2onnx".

| estimator | outcome | rung or refusal |
|---|---|---|
"""


def line(name: str, outcome: str, detail: str) -> str:
    """One row of the table."""
    detail = re.sub(
        r"^model 'model' cannot be converted: ((frontend-)?(sparse-)?(float32|float64|skl2onnx): )?", "", detail
    )
    detail = re.sub(r"\s*\[[^][]*\]$", "", detail).replace("|", "\\|")
    detail = detail if len(detail) <= 220 else f"{detail[:217]}…"
    return f"| {name} | {outcome} | {detail} |"


def main() -> int:
    """Judge every estimator and write the page."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(ROOT / "tests"))
    from sweep.estimators import names
    from sweep.verdicts import AGREES, DISAGREES, REFUSED, verdict

    found = []
    for name in names():
        print(name, file=sys.stderr, flush=True)
        found.append(verdict(name))
    counts = {outcome: sum(one.outcome == outcome for one in found) for outcome in (AGREES, REFUSED, DISAGREES)}
    rows = "\n".join(line(one.name, one.outcome, one.detail) for one in found)
    head = HEAD.format(version=sklearn.__version__, total=len(found), **counts)
    PAGE.write_text(f"{head}{rows}\n", encoding="utf-8")
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return 1 if counts[DISAGREES] else 0


if __name__ == "__main__":
    sys.exit(main())
