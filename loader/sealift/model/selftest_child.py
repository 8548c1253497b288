"""The child process of `run_in_child`: one argument, a model directory; one line of JSON on stdout."""

import json
import sys
from pathlib import Path

from sealift.errors import Error
from sealift.model.description import GOLDEN_FILE
from sealift.model.model import Model
from sealift.model.selftest import replay


def main(argv: list[str]) -> int:
    """Replay the directory's golden examples; 0 where every answer agrees."""
    directory = Path(argv[0])
    try:
        files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
        rows = replay(Model.from_files(files), files.get(GOLDEN_FILE, b""))
    except (Error, OSError) as error:
        print(json.dumps({"error": " ".join(str(error).split())}), flush=True)  # noqa: T201 - this is the answer
        return 1
    print(json.dumps({"rows": rows}), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
