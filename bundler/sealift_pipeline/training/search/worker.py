"""A process that scores parameters. Arguments: a folder with the task, and the process id of the parent.

A line of JSON on standard input is a question: {"score": {…}} or {"fit": {…}}; a line on standard output its answer.
"""

import json
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

from sealift_common.parent import die_with
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.training.project.code import load_code
from sealift_pipeline.training.search.scoring import finite, fitted, score
from sealift_pipeline.training.search.workers import TASK_FILE


def main(argv: list[str]) -> int:
    """Answer until standard input ends."""
    work = Path(argv[0])
    die_with(int(argv[1]))
    # What the author's code prints must not stand between answers.
    with os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8") as answers:
        os.dup2(2, 1)
        warnings.simplefilter("ignore")
        task = pickle.loads((work / TASK_FILE).read_bytes())  # noqa: S301 - written by our parent
        for line in sys.stdin:
            try:
                answer = _answer(task, work, json.loads(line))
            except ProjectError as error:
                answer = {"error": str(error)}
            answers.write(json.dumps(answer) + "\n")
    return 0


def _answer(task: dict[str, Any], work: Path, question: dict[str, Any]) -> dict[str, Any]:
    if "code" in task:
        code = load_code(Path(task.pop("code")))
        if code.digest != task["digest"]:
            raise ProjectError(f"{code.path.name} changed while it was trained; run the same command again")
        task["loaded"] = code
    code, rows, seed = task["loaded"], task["rows"], task["seed"]
    if "score" in question:
        return {"score": finite(score(code, rows, question["score"], seed, task["metric"]))}
    (work / "fitted.pickle").write_bytes(pickle.dumps(fitted(code, rows, question["fit"], seed)))
    return {"fitted": True}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
