"""Record in `model.json` how fast the converted model answered on the build machine, where that is asked for.

Off unless asked for: times differ from run to run, and a released version never changes its bytes. Adding the same
model again must stay "unchanged", and two people who convert the same model must get the same bytes.
"""

import json
from dataclasses import replace

from sealift.model.documents.description import FILE_NAME, GOLDEN_FILE
from sealift.model.trial.benchmark import benchmark
from sealift_bundler.proof.conversion import Conversion
from sealift_bundler.proof.documents import canonical


def with_benchmark(conversion: Conversion) -> Conversion:
    """Return the conversion with `conversion.benchmark` in its `model.json`; nothing else of it changes."""
    files = dict(conversion.files)
    document = json.loads(files[FILE_NAME])
    document["conversion"]["benchmark"] = benchmark(conversion.open(), files[GOLDEN_FILE]).document()
    files[FILE_NAME] = canonical(document)
    return replace(conversion, files=files)
