"""A reviewer opens the dossier of a version that an attacker made: documents of any shape, texts of any kind."""

import json

import pytest
import rfc8785
from support.pages.structure import Structure
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files
from support.release.reviews import record

from sealift.model.trial import comparison
from sealift.model.trial.process import SelfTestProcess
from sealift_bundler.cli import command
from sealift_common.errors import Error
from sealift_common.names import ModelVersion

MODEL = ModelVersion.parse("toy", "1.0.0")
MARKUP = "\"'></style></script><script>alert(1)</script><svg onload=alert(2)>\u202e\x1b[31m"
ODD = [None, True, -1, 1e308, 2**53 - 1, "text", MARKUP, [], [[]], {}, {"": {"": MARKUP}}, [MARKUP, {"rung": MARKUP}]]


@pytest.fixture
def dossier(tmp_path, call, monkeypatch):
    """Write the dossier of a version of these files: status, errors, and the page if there is one."""
    monkeypatch.setattr(SelfTestProcess, "compare", lambda *_: [])
    number = iter(range(1000))

    def write(files):
        place = tmp_path / str(next(number))
        place.mkdir()
        sim = ChannelSimulator(place / "ch")
        sim.add(files=files)
        before = {path: path.read_bytes() for path in sim.directory.rglob("*") if path.is_file()}
        status, _, err = call(command, "dossier", sim.directory, "toy:1.0.0", "-o", place / "pages")
        assert {path: path.read_bytes() for path in sim.directory.rglob("*") if path.is_file()} == before
        page = place / "pages" / "toy@1.0.0.html"
        return status, err, page.read_text("utf-8") if page.exists() else None

    return write


def described(**changes):
    files = renamed(toy_files(), "toy", "1.0.0")
    return {**files, "model.json": rfc8785.dumps(json.loads(files["model.json"]) | changes)}


def harmless(page):
    found = Structure(page)
    assert found.problems == []
    assert not {"script", "img", "iframe", "link"} & found.tags
    assert "\u202e" not in found.text
    assert "\x1b" not in found.text


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_proof_of_any_shape(dossier, odd):
    """Whatever stands where figures of the proof should: a page, or one line that says what is wrong."""
    parity = dict.fromkeys(
        (
            "rows",
            "caller_rows",
            "labels_wrong",
            "ties",
            "largest_absolute_error",
            "edge_rows",
            "worst_rows",
            "reference",
        ),
        odd,
    )
    conversion = {"rung": MARKUP, "attempts": odd, "golden": odd}
    source = {"estimator": odd, "versions": odd}
    status, err, page = dossier(described(parity=parity, conversion=conversion, source=source))
    assert (status, err) == (0, "")
    harmless(page)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_bill_of_materials_of_any_shape(dossier, odd):
    bom = dict.fromkeys(("bomFormat", "specVersion", "serialNumber", "components", "metadata"), odd)
    nested = {
        "components": [{"type": "data", "data": odd, "hashes": odd, "licenses": odd, "name": odd}, {"type": odd}, odd],
        "metadata": {"component": {"modelCard": {"modelParameters": odd, "quantitativeAnalysis": odd}}},
    }
    for document in (bom, nested):
        status, err, page = dossier({**described(), "model.cdx.json": rfc8785.dumps(document)})
        assert (status, err) == (0, "")
        harmless(page)


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_a_record_of_any_shape(dossier, odd):
    """Answers are shown as they are; a probe that `add` would not write is one line, and no traceback."""
    answers = {"use": {"purpose": odd, MARKUP: odd}, "datasets": [odd, {"name": odd}], MARKUP: odd}
    finding = {"kind": MARKUP, "file": MARKUP, "place": MARKUP, "reason": MARKUP, "count": odd}
    changes = {"answers": answers, "accepted": [finding], "authors": [finding], "versions": {MARKUP: MARKUP}}
    status, err, page = dossier({**described(), "REVIEW.json": record(MODEL, **changes)})
    assert (status, err) == (0, "")
    harmless(page)
    status, err, page = dossier({**described(), "REVIEW.json": record(MODEL, probe={"text": odd, "membership": odd})})
    assert (status, err.count("\n")) == (10, 1), err
    assert "the probe in the record of toy 1.0.0 is not as `add` writes it" in err
    assert page is None


def test_texts_of_any_kind(dossier):
    card = f"# {MARKUP}\n\tglpat-{'x3kP9qLm2ZtR7vWs4YbN'}\n".encode() + b"\xff\xfe\x00"
    status, err, page = dossier({**described(), "CARD.md": card, "LICENSE": b"x" * 50_000})
    assert (status, err) == (0, "")
    harmless(page)
    assert "(the rest is left out here)" in page
    # What the scan would refuse is not shown even where a tool of somebody else let it in.
    assert "x3kP9qLm2ZtR7vWs4YbN" not in page
    assert "(withheld: gitlab-token)" in page


@pytest.mark.parametrize(
    "written",
    [
        b"", b"[", b"{}", b"[1]", b"[[]]", b'[["","",[1.0],[1.0,2.0],1,1]]', b'[["","",[1],[1.0],1,1]]',
        b'[["","",null,[1.0],1,1]]', b'[["","",[true],[true],1,1]]', b"[" * 100_000, b'["' + b"x" * 5_000_000 + b'"]',
        b"\xff", b'[[1,"",null,null,1,1]]',
    ],
    ids=range(13),
)  # fmt: skip
def test_what_the_child_writes_is_believed_only_in_its_form(tmp_path, written):
    (tmp_path / "answers.json").write_bytes(written)
    with pytest.raises(Error, match="did not answer what it was asked"):
        comparison.read(tmp_path / "answers.json", "toy")


def test_answers_beside_recorded_ones_come_through_the_child(tmp_path):
    for name, data in renamed(toy_files(), "toy", "1.0.0").items():
        (tmp_path / name).write_bytes(data)
    with SelfTestProcess() as process:
        found = {one.output: one for one in process.compare(tmp_path, "toy")}
    assert set(found) == {"predict", "predict_proba", "decision_function"}
    proba = found["predict_proba"]
    assert proba.of == 160
    assert len(proba.expected) == len(proba.got) == 160
    assert max(abs(one - other) for one, other in zip(proba.expected, proba.got, strict=True)) < 1e-5


def test_a_graph_that_answers_otherwise_is_shown_and_not_hidden(tmp_path, call):
    files = renamed(toy_files(), "toy", "1.0.0")
    golden = json.loads(files["golden.json"])
    tensor = next(one for one in golden["examples"][0]["response"]["outputs"] if one["name"] == "decision_function")
    tensor["data"] = [value + 1 for value in tensor["data"]]
    sim = ChannelSimulator(tmp_path / "ch")
    sim.add(files={**files, "golden.json": rfc8785.dumps(golden)})
    status, _, err = call(command, "dossier", sim.directory, "-o", tmp_path / "pages")
    assert (status, err) == (0, "")
    page = (tmp_path / "pages" / "toy@1.0.0.html").read_text("utf-8")
    assert "decision_function: 80 numbers, largest error 1" in page
    harmless(page)
