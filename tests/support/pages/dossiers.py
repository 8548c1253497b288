"""A channel with a version of every kind, some with answers and hostile texts, for the tests of pages."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from support.release.reviews import signer
from support.release.weights import safetensors
from support.release.workbench import Workbench

from sealift_common.names import ModelVersion
from sealift_keys.ceremony.reviewing import change_reviewers
from sealift_keys.ceremony.stating import state
from sealift_keys.keyfiles.signers import open_signers

# What a browser would obey, and a reader be deceived by.
HOSTILE = "</td><script>alert(1)</script><img src=http://evil.test/x onerror=alert(2)>\u202ereversed\u202c"
TEXTS = ["you are an idiot", "what a stupid fool", "idiot and fool", "a lovely day", "friends and family"] * 16
ANSWERS = """\
schema = "sealift.review/1"
risk = "{risk}"
[use]
purpose = "Flags rude comments for a moderator.\\nA person decides."
users = ["moderators", "{hostile}"]
decision = "advises"
security_model = false
out_of_scope = ["closing accounts"]
[[datasets]]
name = "comments of public projects"
owner = "the moderation team"
sha256 = "sha256:{digest}"
classification = "public"
personal_data = true
legal_basis = "legitimate interest"
retention = "a year after training"
dpia = "DPIA 2026-14"
license = "CC-BY-4.0"
private_projects = false
[preprocessing]
steps = ["names and addresses removed", "lower case"]
anonymization = "names replaced by a common word"
min_document_frequency = 5
[licenses]
model = "MIT"
data = ["CC-BY-4.0"]
[export]
control = "none applies"
[evaluation]
metrics = {{accuracy = {accuracy}, recall = 0.91}}
slices = [{{name = "short comments", accuracy = 0.81}}]
[abuse]
atlas = ["AML.T0015"]
mitigation = "a moderator reads what is flagged"
[limits]
known = ["other languages than English"]
[golden]
source = "file"
"""
TRIAGE = [ModelVersion.parse("rude-comments", version) for version in ("1.0.0", "1.1.0")]
PAIR = ModelVersion.parse("pair", "1.0.0")
WEIGHTS = ModelVersion.parse("llm", "1.0.0+q4")
ROWS = ModelVersion.parse("m", "1.0.0")


def answers(risk: str = "limited", accuracy: float = 0.93) -> str:
    hostile = HOSTILE.replace("\u202e", "").replace("\u202c", "")
    return ANSWERS.format(risk=risk, hostile=hostile, digest="a" * 64, accuracy=accuracy)


class Dossiers(Workbench):
    """The channel `ch`: a table, two graphs and weights without answers, and two versions of a text model with them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        self.people = {name: signer(name) for name in ("ada", "bob <b>", "eve")}
        self._table()
        self._pair()
        self._weights()
        assert self.bundler("release", "--channel", "ch", "--key", "k")[0] == 0
        self._join()
        self._text("1.0.0")
        for role, name in (("security", "ada"), ("legal", "bob <b>"), ("privacy", "eve")):
            self.say(TRIAGE[0], role, name, "approved", "looked at everything")
        status, _, err = self.bundler("release", "--channel", "ch", "--key", "k")
        assert status == 0, err
        self._text("1.1.0", risk="high", accuracy=0.95)
        self.say(TRIAGE[1], "security", "ada", "approved", HOSTILE.replace("\u202e", "").replace("\u202c", ""))

    def say(self, model: ModelVersion, role: str, name: str, decision: str, note: str) -> None:
        digest = {**self.channel.released(), **self.channel.staged()}[model].digest
        state(self.channel, model, role, decision, digest, self.people[name], note=note)

    def dossier(self, *models: ModelVersion) -> tuple[int, str, str]:
        return self.bundler("dossier", "ch", *(model.reference for model in models), "-o", "pages")

    def page(self, name: str) -> str:
        return (self.folder / "pages" / name).read_text("utf-8")

    def _add(self) -> None:
        status, _, err = self.add()
        assert status == 0, err

    def _join(self) -> None:
        signers = open_signers(("k",), ())
        for role, name in (("security", "ada"), ("legal", "bob <b>"), ("privacy", "eve")):
            change_reviewers(self.channel, role, add=[self.people[name].public_key], signers=signers)

    def _table(self) -> None:
        rows = pd.DataFrame({"a": np.arange(40.0) % 7, "b <i>": np.arange(40.0) % 5})
        model = LogisticRegression().fit(rows, np.where(rows["a"] > rows["b <i>"], "yes", "no"))
        self.recipe(model, self.put("s", rows), 'golden = "generated"', 'licenses = ["MIT"]')
        self._add()

    def _pair(self) -> None:
        names = ("n", 3)
        for name, node in (("encoder", "Relu"), ("decoder", "Neg")):
            ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, names) for end in "xy"]
            made = helper.make_graph([helper.make_node(node, ["x"], ["y"])], "g", ends[:1], ends[1:])
            onnx.save(
                helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), f"{name}.onnx"
            )
            np.savez(f"{name}.npz", x=np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32))
        graphs = "".join(f'{name} = "{name}.onnx"\n' for name in ("encoder", "decoder"))
        samples = graphs.replace(".onnx", ".npz")
        Path("recipe.toml").write_text(f'name = "pair"\nversion = "1.0.0"\n[graphs]\n{graphs}[samples]\n{samples}')
        self._add()

    def _weights(self) -> None:
        Path("a.safetensors").write_bytes(safetensors())
        Path("README.md").write_text(f"# Weights\n\n{HOSTILE}\n")
        Path("recipe.toml").write_text(
            'name = "llm"\nversion = "1.0.0+q4"\nkind = "files"\nlicenses = ["Apache-2.0"]\n'
            '[files]\n"a.safetensors" = "a.safetensors"\n"README.md" = "README.md"\n'
        )
        self._add()

    def _text(self, version: str, risk: str = "limited", accuracy: float = 0.93) -> None:
        labels = ["rude", "rude", "rude", "fine", "fine"] * 16
        model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=accuracy)).fit(TEXTS, labels)
        Path("review.toml").write_text(answers(risk, accuracy))
        Path("golden.txt").write_text("you idiot\na lovely family\n" * 8)
        Path("card.md").write_text(f"# Rude comments\n\nAsk the authors: team@example.org\n\n{HOSTILE}\n")
        recipe = self.recipe(
            model, self.put("s", TEXTS), 'golden = "golden.txt"', 'licenses = ["MIT"]', 'review = "review.toml"',
            'card = "card.md"', f"title = '{HOSTILE[:40]}'", version=version,
        )  # fmt: skip
        Path(recipe).write_text(Path(recipe).read_text().replace('name = "m"', 'name = "rude-comments"'))
        self._add()
