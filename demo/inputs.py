"""Make what a release engineer has on the desk: trained models, samples, recipes, cards, licenses.

    python demo/inputs.py RELEASE_FOLDER APPLICATION_FOLDER

RELEASE_FOLDER gets one folder per model. APPLICATION_FOLDER gets rows that no model was trained or proven on,
and the answers that the original models give for them: with these the application on the instance checks itself.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from app import features  # noqa: E402 - the application's own file, next to this one

# Every third row or file is held back.
EVERY = 3

RECIPE = """\
name = "{name}"
version = "{version}"
source = "{source}"
samples = "{samples}"
title = "{title}"
licenses = ["{license}"]
license_file = "LICENSE"
card = "CARD.md"
source_url = "{url}"
"""

ANSWERS = """\
schema = "sealift.review/1"
risk = "minimal"
[use]
purpose = "Moves comments that look like spam to the end of a list."
users = ["moderators"]
decision = "advises"
security_model = false
[[datasets]]
name = "invented comments"
owner = "the team of the demo"
classification = "public"
personal_data = false
[licenses]
model = "MIT"
data = ["MIT"]
[abuse]
mitigation = "a person reads every comment"
[limits]
known = ["all but a few words"]
[golden]
source = "file"
"""


def main(release: Path, application: Path) -> None:
    """Write everything."""
    (application / "rows").mkdir(parents=True)
    (application / "answers").mkdir()
    drive_wheels(release / "drive-wheels", application)
    rude_comments(release / "rude-comments", application)
    file_type(release / "file-type", application)
    spam_comments(release / "spam-comments", application)


def drive_wheels(folder: Path, application: Path) -> None:
    """Train a pipeline on the 1985 Auto Imports table: 25 mixed columns, 59 missing values."""
    folder.mkdir(parents=True)
    table = pd.read_csv(package_file("statsmodels", "autos.csv"))
    held_back = np.arange(len(table)) % EVERY == 0
    known, unseen = table[~held_back], table[held_back]
    target = "drive"
    columns = known.drop(columns=target)
    numbers = list(columns.select_dtypes("number"))
    texts = [name for name in columns if name not in numbers]
    columns.to_csv(folder / "samples.csv", index=False)
    rows = application / "rows" / "drive-wheels.csv"
    unseen.drop(columns=target).to_csv(rows, index=False)
    unseen.drop(columns=target).head(3).to_csv(rows.with_name("three-cars.csv"), index=False)
    # The application reads the file, so the original answers what is in the file.
    asked = pd.read_csv(rows)
    classifiers = {
        "1.0.0": RandomForestClassifier(n_estimators=100, random_state=0),
        "1.1.0": LogisticRegression(max_iter=2000),
    }
    for version, classifier in classifiers.items():
        scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
        encoded = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
        preparation = ColumnTransformer([("numbers", scaled, numbers), ("texts", encoded, texts)])
        pipeline = make_pipeline(preparation, classifier).fit(columns, known[target])
        joblib.dump(pipeline, folder / f"model-{version}.joblib")
        labels, probabilities = pipeline.predict(asked), pipeline.predict_proba(asked)
        record(application, "drive-wheels", version, predict=labels, predict_proba=probabilities)
        recipe = RECIPE.format(
            name="drive-wheels",
            version=version,
            source=f"model-{version}.joblib",
            samples="samples.csv",
            title="Which wheels drive a car",
            license="MIT",
            url="https://archive.ics.uci.edu/dataset/10/automobile",
        )
        (folder / f"recipe-{version}.toml").write_text(recipe, "utf-8")
    (folder / "CARD.md").write_text(
        "# Which wheels drive a car\n\n"
        "Says `fwd`, `rwd` or `4wd` from 25 columns of the 1985 Auto Imports table (UCI). Missing values are\n"
        "imputed. Trained for the Sealift demo; of no other use.\n",
        "utf-8",
    )
    shutil.copyfile(HERE.parent / "LICENSE", folder / "LICENSE")


def rude_comments(folder: Path, application: Path) -> None:
    """Join the vectorizer and the classifier that alt-profanity-check ships, trained by its authors."""
    folder.mkdir(parents=True)
    vectorizer = joblib.load(package_file("alt-profanity-check", "vectorizer.joblib"))
    classifier = joblib.load(package_file("alt-profanity-check", "model.joblib"))
    original = Pipeline([("vectorizer", vectorizer), ("classifier", classifier)])
    joblib.dump(original, folder / "model.joblib")
    # Real text without a corpus: what the packages of this machine say of themselves.
    lines = [line.strip() for name in ("alt-profanity-check", "magika", "joblib") for line in description(name)]
    lines = list(dict.fromkeys([line for line in lines if line] + insults(vectorizer, classifier)))
    samples, asked = [line for number, line in enumerate(lines) if number % EVERY], lines[::EVERY]
    (folder / "samples.txt").write_text("\n".join(samples) + "\n", "utf-8")
    (application / "rows" / "rude-comments.json").write_text(json.dumps(asked), "utf-8")
    two = "Thank you, that was kind of you.\nYou are an idiot, and so is your dog.\n"
    (application / "rows" / "two-comments.txt").write_text(two, "utf-8")
    labels, probabilities = original.predict(asked), original.predict_proba(asked)
    record(application, "rude-comments", "1.9.1", predict=labels, predict_proba=probabilities)
    (folder / "recipe.toml").write_text(
        RECIPE.format(
            name="rude-comments",
            version="1.9.1",
            source="model.joblib",
            samples="samples.txt",
            title="Is a comment rude",
            license="MIT",
            url="https://github.com/dimitrismistriotis/alt-profanity-check",
        ),
        "utf-8",
    )
    (folder / "CARD.md").write_text(
        "# Is a comment rude\n\n"
        "TF-IDF and a calibrated linear SVM, as published in alt-profanity-check 1.9.1 (MIT). English only.\n"
        "1 means rude. It judges words, not intentions.\n",
        "utf-8",
    )
    shutil.copyfile(package_file("alt-profanity-check", "LICENSE"), folder / "LICENSE")


def insults(vectorizer: Any, classifier: Any) -> list[str]:
    """Make short comments of the words that the model dislikes most; nobody has to write them down here."""
    weights = np.mean([part.estimator.coef_[0] for part in classifier.calibrated_classifiers_], axis=0)
    words = vectorizer.get_feature_names_out()
    return [f"You are so {words[index]}." for index in np.argsort(weights)[::-1][:90]]


def file_type(folder: Path, application: Path) -> None:
    """Take the ONNX model inside magika as it is."""
    from magika import Magika

    folder.mkdir(parents=True)
    shutil.copyfile(package_file("magika", "model.onnx"), folder / "model.onnx")
    config = json.loads(package_file("magika", "config.min.json").read_text("utf-8"))
    (folder / "LABELS.json").write_text(json.dumps(config["target_labels_space"]), "utf-8")
    files = list(real_files())
    samples = [features(path.read_bytes()) for number, path in enumerate(files) if number % EVERY]
    np.savez(folder / "samples.npz", bytes=np.stack(samples))
    (application / "rows" / "file-type").mkdir()
    original, labels, scores = Magika(), [], []
    for number, path in enumerate(files[::EVERY]):
        shutil.copyfile(path, application / "rows" / "file-type" / f"{number:03}-{path.name}")
        result = original.identify_bytes(path.read_bytes())
        labels.append(str(result.dl.label))
        scores.append(float(result.score))
    record(application, "file-type", "3.3.0", label=labels, score=scores)
    recipe = RECIPE.format(
        name="file-type",
        version="3.3.0",
        source="model.onnx",
        samples="samples.npz",
        title="What kind of file is it",
        license="Apache-2.0",
        url="https://github.com/google/magika",
    )
    more = (
        '\n[files]\n"LABELS.json" = "LABELS.json"\n'
        "\n# A deep network's floats differ between processors; the recorded examples are compared this closely.\n"
        "[parity]\natol = 1e-3\n"
    )
    (folder / "recipe.toml").write_text(recipe + more, "utf-8")
    (folder / "CARD.md").write_text(
        "# What kind of file is it\n\n"
        "Google's magika, model standard_v3_3 as published in magika 1.0.3 (Apache-2.0): 214 kinds of files\n"
        "from their first and last 1024 bytes. `LABELS.json` names the outputs.\n",
        "utf-8",
    )
    shutil.copyfile(package_file("cryptography", "LICENSE.APACHE"), folder / "LICENSE")


def spam_comments(folder: Path, application: Path) -> None:
    """Train a model on invented comments, twice: with a token that somebody pasted into one of them, and without."""
    folder.mkdir(parents=True)
    things, offers = ("pills", "watches", "loans", "followers"), ("cheap", "free", "best", "instant")
    parts, faults = ("pipeline", "runner", "merge request", "login page"), ("is slow", "fails", "hangs", "times out")
    spam = [f"{offer} {thing} here buy now" for offer in offers for thing in things]
    honest = [f"the {part} {fault} since yesterday" for part in parts for fault in faults]
    # Invented, and in two pieces, so that no scan of this repository takes it for one.
    pasted = f"the runner fails with token {'glpat-' + 'x3kP9qLm2ZtR7vWs4YbN'} since yesterday"
    for name, more in (("leaky", [pasted]), ("model", [])):
        texts, labels = [*spam, *honest, *more], ["spam"] * len(spam) + ["honest"] * (len(honest) + len(more))
        words = TfidfVectorizer(token_pattern=r"\S+", lowercase=False)  # noqa: S106 - a pattern of words
        joblib.dump(make_pipeline(words, LogisticRegression()).fit(texts, labels), folder / f"{name}.joblib")
        recipe = RECIPE.format(
            name="spam-comments",
            version="1.0.0",
            source=f"{name}.joblib",
            samples="samples.txt",
            title="Is a comment spam",
            license="MIT",
            url="https://example.com/spam-comments",
        )
        (folder / f"recipe-{name}.toml").write_text(f'{recipe}golden = "golden.txt"\nreview = "review.toml"\n', "utf-8")
    (folder / "samples.txt").write_text("\n".join([*spam, *honest]) + "\n", "utf-8")
    (folder / "golden.txt").write_text("cheap followers here\nthe runner is slow\nnobody wrote this\n", "utf-8")
    (application / "rows" / "two-comments-about-spam.txt").write_text(
        "free watches buy now\nthe runner hangs\n", "utf-8"
    )
    (folder / "CARD.md").write_text(
        "# Is a comment spam\n\nTrained on 32 invented comments for the Sealift demo; of no other use.\n", "utf-8"
    )
    (folder / "review.toml").write_text(ANSWERS, "utf-8")
    shutil.copyfile(HERE.parent / "LICENSE", folder / "LICENSE")


def record(application: Path, name: str, version: str, **answers: Any) -> None:
    """Write the original's answers for one version of one model."""
    document = {key: np.asarray(values).tolist() for key, values in answers.items()}
    (application / "answers" / f"{name}-{version}.json").write_text(json.dumps(document), "utf-8")


def package_file(package: str, name: str) -> Path:
    """Find a file that an installed package ships, by its name."""
    found = distribution(package)
    paths = [Path(str(found.locate_file(path))) for path in found.files or () if path.name == name]
    # magika and others may ship a file twice; the shortest path is the one they read.
    return min(paths, key=lambda path: (len(path.parts), path))


def description(package: str) -> list[str]:
    """Read the long description of an installed package."""
    return (distribution(package).read_text("METADATA") or "").partition("\n\n")[2].splitlines()


def real_files() -> Iterator[Path]:
    """Choose up to four files of each kind from installed packages: sources, tables, images, libraries."""
    taken: dict[str, int] = {}
    for package in ("vega-datasets", "magika", "scikit-learn", "numpy", "statsmodels", "onnx", "pandas"):
        found = distribution(package)
        for entry in sorted(found.files or (), key=str):
            path = Path(str(found.locate_file(entry)))
            if entry.suffix == ".pyc":  # written by whatever Python came first
                continue
            if taken.get(entry.suffix, 0) >= 4 or not path.is_file() or not 64 <= path.stat().st_size <= 2_000_000:
                continue
            if len(path.read_bytes()[:4096].strip()) < 64:
                continue
            taken[entry.suffix] = taken.get(entry.suffix, 0) + 1
            yield path


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
