"""Where the scan looks in each kind of file, what it calls the place, and what no finding ever holds."""

import io
import json
import lzma
import zipfile
from base64 import b64encode
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_extraction.text import CountVectorizer
from support.disclosed import MAIL, TOKEN, described, frontend, golden, graph, told

from sealift_bundler.disclosure import (
    Acceptance,
    findings_in,
    judge,
    redacted,
    scan_files,
    scan_text,
    withheld,
)
from sealift_bundler.disclosure.judgement import MAX_AUTHORS


def _zip_of_mail() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", MAIL * 9)
    return buffer.getvalue()


ZIP_OF_MAIL = _zip_of_mail()


def test_terms_are_counted_and_the_first_is_named() -> None:
    assert told(scan_files(frontend(["a", TOKEN, "b", TOKEN, MAIL]))) == [
        ("gitlab-token", "frontend.json", 2, "term 2 of 5"),
        ("e-mail", "frontend.json", 1, "term 5 of 5"),
    ]
    assert told(scan_files(frontend([MAIL], counters=2))) == [
        ("e-mail", "frontend.json", 1, "term 1 of 1 of vectorizer 2")
    ]
    assert told(scan_files(frontend([], stop_words=["the", MAIL]))) == [
        ("e-mail", "frontend.json", 1, "stop word 2 of 2")
    ]
    assert told(scan_files(frontend([], token_pattern=MAIL))) == [
        ("e-mail", "frontend.json", 1, "counters[0].token_pattern")
    ]


def test_golden_rows_have_a_number_and_a_column() -> None:
    files = golden(author=["x", "y", MAIL, MAIL], size=[1, 2, 3, 4])
    assert told(scan_files(files)) == [
        ("e-mail", "golden.json", 2, "golden row 3, column 'author'"),
        ("e-mail", "golden.json", 1, "golden row 2, answer 'predict'"),
    ]
    assert told(scan_files(golden(rows=["x", MAIL])))[0][3] == "golden row 2"


def test_a_column_of_card_numbers_is_seen_and_one_by_chance_is_not() -> None:
    cards = [4111111111111111, 5555555555554444, 6011111111111117]
    assert told(scan_files(golden(number=cards)))[0] == ("card", "golden.json", 3, "golden rows, column 'number'")
    chance = [4111111111111111, *range(4111111111111200, 4111111111111230)]
    assert {kind for kind, *_ in told(scan_files(golden(number=chance)))} == {"e-mail"}


def test_columns_categories_and_classes_of_the_description() -> None:
    columns = [{"name": "author", "categories": ["x", MAIL, 3]}, {"name": TOKEN, "categories": [MAIL]}]
    files = described(columns, classes={"values": [0, MAIL]}, source={"estimator": f"Pipeline({MAIL!r})"})
    assert told(scan_files(files)) == [
        ("e-mail", "model.json", 1, "class 2 of 2"),
        ("gitlab-token", "model.json", 1, "column 2 of 2 of input 'strings'"),
        ("e-mail", "model.json", 1, "category 2 of 3 of column 'author'"),
        ("e-mail", "model.json", 1, "category 1 of 1 of column (name withheld)"),
        ("e-mail", "model.json", 1, "source.estimator"),
    ]
    assert told(scan_files({"model.json": json.dumps({"inputs": [], MAIL: {"x": TOKEN}}).encode()})) == [
        ("e-mail", "model.json", 1, "a name"),
        ("gitlab-token", "model.json", 1, "(name withheld).x"),
    ]


def test_categories_in_the_graph_are_those_of_a_column() -> None:
    index = numpy_helper.from_array(np.array(1), "one")
    nodes = [
        helper.make_node("Gather", ["strings", "one"], ["column"], axis=1),
        helper.make_node("LabelEncoder", ["column"], ["y"], domain="ai.onnx.ml", keys_strings=["x", MAIL, MAIL]),
    ]
    files = {**graph(nodes, index), **described([{"name": "team"}, {"name": "author"}])}
    assert told(scan_files(files)) == [("e-mail", "model.onnx", 2, "category 2 of 3 of column 'author'")]
    assert told(scan_files(graph(nodes, index))) == [
        ("e-mail", "model.onnx", 2, "node 2 'LabelEncoder', string 2 of 3 of attribute 'keys_strings'")
    ]


def test_texts_all_over_the_graph() -> None:
    words = helper.make_tensor("words", TensorProto.STRING, [2], [b"x", MAIL.encode()])
    node = helper.make_node("Identity", ["strings"], ["y"], name=TOKEN, doc_string=MAIL)
    inner = helper.make_graph([node], "inner", [], [])
    branch = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    places = {one.place for one in scan_files(graph([branch], words))}
    assert places == {"string 2 of 2 of tensor 'words'", "node 2 'Identity', name", "node 2 'Identity', doc_string"}
    assert {one.place for one in scan_files(graph([], doc_string=MAIL, producer_name=TOKEN))} == {
        "doc_string of the model",
        "producer_name of the model",
    }
    made = onnx.load_model_from_string(graph([node])["model.onnx"])
    helper.set_model_props(made, {"note": MAIL, TOKEN: "x"})
    assert {one.place for one in scan_files({"model.onnx": made.SerializeToString()})} >= {
        "value of metadata 1",
        "key of metadata 2",
    }


def test_a_field_that_nobody_knows_is_searched() -> None:
    unknown = bytes([*b"\xfa\x3f", len(TOKEN)]) + TOKEN.encode()  # field 1023 of the model, bytes
    found = scan_files({"model.onnx": graph([])["model.onnx"] + unknown})
    assert told(found) == [("gitlab-token", "model.onnx", 1, "field 1023 of the model")]


def test_in_numbers_only_fixed_beginnings_are_looked_for() -> None:
    hidden = np.frombuffer((TOKEN + MAIL).encode().ljust(64, b"\1"), np.uint8)
    found = scan_files(graph([], numpy_helper.from_array(hidden, "weights")))
    assert [(one.kind, one.place.split(" ", 1)[0]) for one in found] == [("gitlab-token", "byte")]
    shard = bytes(1000) + TOKEN.encode() + bytes(1000)
    assert told(scan_files({"model.onnx.data": shard, "model.onnx.data.1": shard})) == [
        ("gitlab-token", name, 1, "byte 1,000, among numbers") for name in ("model.onnx.data", "model.onnx.data.1")
    ]


def test_a_tensor_of_letters_is_a_text() -> None:
    letters = np.frombuffer(f"a\n{MAIL}\0grün".encode(), np.uint8)
    assert told(scan_files(graph([], numpy_helper.from_array(letters, "vocabulary")))) == [
        ("e-mail", "model.onnx", 1, "text in tensor 'vocabulary'")
    ]
    assert scan_files(graph([], numpy_helper.from_array(letters.astype(np.int32), "vocabulary"))) == ()


CARDS = [4111111111111111, 5555555555554444, 6011111111111117]


NO_CARDS = [4111111111111111, *range(4111111111111200, 4111111111111230), 5, -1, 0]


@pytest.mark.parametrize("numbers", [CARDS, [1, 2, 2**62, *CARDS], NO_CARDS])
def test_categories_that_are_numbers_of_cards(numbers: list[int]) -> None:
    expected = {"card"} if numbers is not NO_CARDS else set()
    by_name = helper.make_node("LabelEncoder", ["strings"], ["y"], domain="ai.onnx.ml", keys_int64s=numbers)
    places = {"node 1 'LabelEncoder', attribute 'keys_int64s'": graph([by_name])}
    for dtype in (np.int64, np.uint64, np.float64):
        array = np.array([abs(number) for number in numbers], dtype)
        packed_type = helper.np_dtype_to_tensor_dtype(array.dtype)
        places |= {
            f"tensor '{dtype.__name__}'": graph([], numpy_helper.from_array(array, dtype.__name__)),
            f"tensor 'as {dtype.__name__}'": graph(
                [], helper.make_tensor(f"as {dtype.__name__}", packed_type, [len(array)], array.tolist())
            ),
        }
    for place, files in places.items():
        found = told(scan_files(files))
        assert {kind for kind, *_ in found} == expected, place
        assert {where for *_, where in found} <= {f"numbers of {place}"}
    files = described([{"name": "a", "categories": numbers}], classes={"values": numbers})
    assert {where for *_, where in told(scan_files(files))} == (
        {"classes", "categories of column 'a'"} if expected else set()
    )


def test_a_column_with_one_number_missing_is_a_column_of_floats() -> None:
    files = golden(number=[*map(float, CARDS), None, 1.5, 1e300, "x"])
    assert told(scan_files(files))[0] == ("card", "golden.json", 3, "golden rows, column 'number'")


def test_strings_of_a_graph_are_read_as_texts() -> None:
    hidden = ["maria\u200b.kowalska\N{FULLWIDTH COMMERCIAL AT}invented.example", "gr\u00fcn"]
    node = helper.make_node("LabelEncoder", ["strings"], ["y"], domain="ai.onnx.ml", keys_strings=hidden)
    assert [kind for kind, *_ in told(scan_files(graph([node])))] == ["e-mail"]


@pytest.mark.parametrize(
    "data",
    [
        "Gr\u00fc\u00dfe\njo@web.example\n".encode("latin-1"),
        "an j\u00f6rg@m\u00fcller.example".encode("latin-1"),
        "zu\u010f, j@f.example".encode("utf-16"),
        b"\xfe\xff" + "\u010f j@f.example".encode("utf-16-be"),
        "j@f.example".encode("utf-16-be"),
        "j@f.example".encode("utf-32-be"),
        b"a\0j@f.example\0b",
        json.dumps("j\u00f6rg\N{FULLWIDTH COMMERCIAL AT}f.example").encode(),
        b64encode("gr\u00fcn, maria@invented.example, gelb".encode()),
        b64encode("echo to maria@invented.example".encode("utf-16-le")),
        lzma.compress(b"maria@invented.example" * 9, format=lzma.FORMAT_ALONE),
        b"#!/bin/sh\nexit\n" + ZIP_OF_MAIL,
    ],
    ids=[
        *("Latin-1", "a domain in Latin-1", "UTF-16", "UTF-16, high byte first", "the last letter of UTF-16"),
        *("the last letter of UTF-32", "zeros", "an escape of a wide sign", "base64 of other letters"),
        *("base64 of UTF-16", "LZMA", "an archive behind a program"),
    ],
)
def test_short_addresses_in_other_encodings(data: bytes) -> None:
    assert "e-mail" in {one.kind for one in scan_files({"notes.bin": data})}


def test_a_text_that_begins_as_a_binary_format_is_a_text() -> None:
    for text in (b"ORCID and others", b"PARENTS of nodes", b"ARROW1 is a name", b"Objects", b"a\nPK\5\6" + bytes(18)):
        assert scan_files({"README.md": text}) == (), text


def test_numbers_of_a_forest_are_stepped_over() -> None:
    modes = ["BRANCH_LEQ", "LEAF", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["y"],
        nodes_modes=modes * 3,
        nodes_values=[0.5, -1.0, 1e30],
        nodes_nodeids=[0, 1, 127, 128, 2**40, -1],
        classlabels_strings=["x", MAIL],
    )
    assert told(scan_files(graph([node]))) == [
        ("e-mail", "model.onnx", 1, "node 1 'TreeEnsembleClassifier', string 2 of 2 of attribute 'classlabels_strings'")
    ]


@pytest.mark.parametrize("name", ["model.onnx", "frontend.json", "golden.json", "model.json"])
@pytest.mark.parametrize(
    "form", [TOKEN.encode(), b'{"counters": 3, "inputs": 1}' + TOKEN.encode(), b"\xff" + TOKEN.encode()]
)
def test_a_file_of_another_form_is_searched_as_bytes(name: str, form: bytes) -> None:
    assert [one.kind for one in scan_files({name: form})] == ["gitlab-token"]


def test_names_of_files_and_texts_of_the_recipe() -> None:
    files = {"notes.txt": b"x", f"{TOKEN}.txt": MAIL.encode()}
    descriptor = {"title": TOKEN, "authors": ["Ada", MAIL], "sourceURL": "https://ada:" + "n0t-real@host.example/"}
    assert told(scan_files(files, descriptor)) == [
        ("gitlab-token", "file names", 1, "name 2 of 2"),
        ("e-mail", "recipe", 1, "'authors' or 'vendor'"),
        ("gitlab-token", "recipe", 1, "title"),
        ("url-password", "recipe", 1, "'sourceURL'"),
        ("e-mail", "file 2", 1, "line 1"),
    ]


def test_an_address_in_the_name_of_a_file() -> None:
    assert told(scan_files({f"{MAIL}.txt": b"@" + MAIL.encode()})) == [
        ("e-mail", "file names", 1, "name 1 of 1"),
        ("e-mail", "file 1", 1, "line 1"),
    ]


def test_our_own_signature_is_no_random_term() -> None:
    assert scan_files({"model.sig": b'{"sig":"' + b64encode(bytes(range(3, 75))) + b'"}'}) == ()


@pytest.mark.parametrize("lengths", [(3, 5), (5, 5), (2, 6)])
@pytest.mark.parametrize("analyzer", ["char", "char_wb"])
def test_terms_of_characters_are_put_together(analyzer: str, lengths: tuple[int, int]) -> None:
    texts = [
        "dark mode please",
        "the job fails with a timeout",
        f"my token is {TOKEN} for all",
        f"write to {MAIL} today",
    ]
    terms = sorted(CountVectorizer(analyzer=analyzer, ngram_range=lengths).fit(texts).vocabulary_)
    found = scan_files(frontend(terms, analyzer))
    kinds = {one.kind for one in found}
    # Where the token shares terms with words, a long piece of it is left.
    assert "e-mail" in kinds
    assert kinds & {"gitlab-token", "random-term"}
    assert all(one.place.startswith("term") for one in found)


def test_pieces_of_a_token_are_found_where_its_beginning_is_a_term() -> None:
    texts = ["the sha256sum of v1beta1 on x86_64", "my token is glpat-k3nVented7-n0tR3al9x_Q2 for all"]
    terms = sorted(CountVectorizer().fit(texts).vocabulary_)
    assert [term for term in terms if "3n" in term or "3a" in term] == ["k3nvented7", "n0tr3al9x_q2"]
    # One of them has too little disorder of its own; the other is enough.
    place = f"term {terms.index('n0tr3al9x_q2') + 1} of {len(terms)}"
    assert told(scan_files(frontend(terms))) == [("gitlab-token", "frontend.json", 1, place)]
    assert scan_files(frontend([term for term in terms if term != "glpat"])) == ()


def test_a_fingerprint_is_of_the_values_and_nothing_else() -> None:
    def fingerprint(terms: list[str], file: str = "frontend.json") -> str:
        (found,) = findings_in(terms, file)
        return found.fingerprint

    same = fingerprint([MAIL, "ada@invented.example"])
    assert fingerprint(["x", "ada@invented.example", MAIL, MAIL]) == same
    assert fingerprint([MAIL, "ada@invented.example"], "golden.json") != same
    assert fingerprint([MAIL]) != same
    assert fingerprint([MAIL, "ada@invented.example", "eve@invented.example"]) != same
    assert len(same) == 32


def test_an_acceptance_covers_one_finding_and_no_later_one() -> None:
    findings = scan_files(frontend([MAIL, TOKEN]))
    accepted = [Acceptance(one.kind, one.file, one.fingerprint, "invented") for one in findings]
    judged = judge(findings, accepted)
    assert (judged.refused, [one.reason for one in judged.accepted]) == ((), ["invented"] * 2)
    later = judge(scan_files(frontend([MAIL, TOKEN, "eve@invented.example"])), accepted)
    assert [one.kind for one in later.refused] == ["e-mail"]
    assert later.unused == (accepted[1],) if accepted[1].kind == "e-mail" else (accepted[0],)
    elsewhere = judge(findings, [one._replace(file="model.onnx") for one in accepted])
    assert (len(elsewhere.refused), len(elsewhere.unused)) == (2, 2)


@pytest.mark.parametrize("name", ["CARD.md", "LICENSE", "NOTICE.txt", "THIRD-PARTY-NOTICES"])
def test_addresses_of_authors_are_listed(name: str) -> None:
    few = "\n".join(f"Author {place} <author{place}@invented.example>" for place in range(MAX_AUTHORS))
    judged = judge(scan_files({name: few.encode()}))
    assert (judged.refused, [one.count for one in judged.authors]) == ((), [MAX_AUTHORS])
    many = few + "\none.more@invented.example"
    assert [one.kind for one in judge(scan_files({name: many.encode()})).refused] == ["e-mail"]
    assert [one.kind for one in judge(scan_files({name: TOKEN.encode()})).refused] == ["gitlab-token"]
    for table in ("rows.csv", "cardholders.txt", "discarded.txt", "authors.csv", "card.jsonl.gz"):
        assert [one.kind for one in judge(scan_files({table: few.encode()})).refused] == ["e-mail"], table


def test_values_are_taken_out_of_a_message() -> None:
    assert redacted(f"a {MAIL!r} and {TOKEN}, {MAIL}") == (
        "a '(withheld: e-mail)' and (withheld: gitlab-token), (withheld: e-mail)"
    )
    assert redacted("nothing of 3") == "nothing of 3"
    assert redacted(MAIL.replace("@", r"\u0040")) == "(withheld: e-mail)"
    assert redacted(f"{TOKEN}/m.pkl: {TOKEN}", but=f"{TOKEN}/m.pkl") == f"{TOKEN}/m.pkl: (withheld: gitlab-token)"


def test_text_is_withheld_from_documents_for_people() -> None:
    assert withheld({"expected": MAIL, TOKEN: [1, None, "bug"]}) == {
        "expected": "(withheld: e-mail)",
        "(withheld: gitlab-token)": [1, None, "bug"],
    }
    assert scan_text(f"fine\n{MAIL}", "notes")[0].line() == "e-mail in notes: line 2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "counters",
                    "analyzer",
                    "vocabulary",
                    "stop_words",
                    "examples",
                    "request",
                    "response",
                    "inputs",
                    "outputs",
                    "data",
                    "shape",
                    "name",
                    "columns",
                    "categories",
                    "classes",
                    "values",
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(
    st.sampled_from(["model.onnx", "frontend.json", "golden.json", "model.json", "notes.txt"]),
    st.binary(max_size=80) | JSON,
)
def test_any_bytes_can_be_scanned(name: str, content: Any) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    for one in scan_files({name: data}):
        assert one.kind
        assert one.count > 0


@settings(max_examples=40)
@given(st.text(max_size=20), st.sampled_from([MAIL, TOKEN]))
def test_no_finding_ever_shows_a_value(around: str, value: str) -> None:
    name = f"{around} {value} {around}"
    files = {**golden(**{name: [value, around]}), **described([{"name": name, "categories": [value]}])}
    for one in scan_files(files):
        for text in (repr(one), one.line(), json.dumps(one.document()), one.place):
            assert value not in text
