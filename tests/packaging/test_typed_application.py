"""An application that type-checks itself strictly can rely on the types of the installed package."""

import subprocess
import sys
from pathlib import Path

APPLICATION = """\
import asyncio
from collections.abc import Iterator, Mapping

import sealift
from sealift.testing import ToyModel, ToyStore, toy_store


def count(prediction: sealift.Prediction) -> None:
    rows: int | None = prediction.rows
    print(prediction.model, prediction.seconds, rows)


def chunks() -> Iterator[list[dict[str, str]]]:
    yield [{"text": "x"}]


def main() -> None:
    model: sealift.Model = sealift.load("toy", version=">=1,<2", threads=1, observer=count)
    labels: list[str] = model.predict([{"text": "x"}]).tolist()
    for answer in model.predict_batches(chunks(), method="predict_proba"):
        print(labels, answer)
    print(asyncio.run(model.apredict([{"text": "x"}])).tolist())
    best: int = model.predict_proba([model.example()]).argmax(axis=1).tolist()[0]
    print(best, asyncio.run(model.apredict([{"text": "x"}], "run"))["label"].dtype)
    now: sealift.Model = sealift.load("toy", follow=True).observed(count).now
    print(now.version)
    store: sealift.Store = sealift.Store("/srv/store", trust="/srv/trust")
    models: Mapping[str, sealift.ModelVersion] = store.active().models
    try:
        store.load("toy")
    except sealift.WithdrawnError as error:
        code: int = error.exit_code
        print(code, models)


with toy_store(models={"toy": ToyModel(classes=("a", "b"))}) as toys:
    made: ToyStore = toys
    main()
"""


def strictly(tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "application.py").write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "application.py"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_a_small_application_passes_and_its_mistakes_are_found(tmp_path: Path) -> None:
    # What is not public is an error, and so the only one is the one that was put there.
    done = strictly(tmp_path, APPLICATION)
    (mistake,) = (line for line in done.stdout.splitlines() if ": error: " in line)
    assert mistake.startswith('application.py:28: error: Name "sealift.ModelVersion" is not defined'), done.stdout
    done = strictly(tmp_path, APPLICATION.replace("Mapping[str, sealift.ModelVersion]", "Mapping[str, object]"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = strictly(tmp_path, 'import sealift\nversion: int = sealift.load("toy").version\n')
    assert "Incompatible types in assignment" in done.stdout
