"""A trained model in a model registry, and the recipe that takes it from there."""

import hashlib
import io

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

SAMPLES = "a,b\n" + "".join(f"{x},{y}\n" for x, y in np.random.default_rng(0).normal(size=(30, 2)))


def model_bytes():
    rows = np.random.default_rng(1).normal(size=(60, 2))
    out = io.BytesIO()
    joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), out)
    return out.getvalue()


def digest_of(files):
    """As `sha256sum * | sha256sum` says."""
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def register(server, files, version="3.1.0", name="triage-src"):
    """Put files into a version of the fake registry, as a training job leaves them."""
    models = server.models
    if name not in models.models:
        models.create_model(name)
    one = models.create_version(name, tags=[{"key": "gitlab.version", "value": version}])
    one["run"].files.update({path.replace("/", "%2F"): data for path, data in files.items()})
    return one


def write_recipe(folder, registry, digest, source="mlflow://models/triage-src/3.1.0", **others):
    (folder / "samples.csv").write_text(SAMPLES)
    values = {"name": "triage", "version": "1.0.0", "source": source, "samples": "samples.csv", "registry": registry}
    values |= {"source_digest": digest, "created_at": "2026-11-23T12:00:00Z", **others}
    path = folder / "recipe.toml"
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in values.items() if value is not None))
    return path
