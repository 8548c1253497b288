"""No tokenizer that crashes, hangs or floods its library reaches it: not from a recipe, and not from a bundle."""

import json

import pytest
import tokenizers
from support.hostile.tokenizer_files import HOSTILE, known_good, small
from support.release.channel_simulator import ChannelSimulator
from support.release.workbench import Workbench
from support.text_encoders import encoder_files, with_tokenizer, write_encoder

from sealift.errors import DigestError, IncompatibleError, InputError, LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model import Model
from sealift.model.frontend.tokenizer import library, vocabulary
from sealift.model.frontend.tokenizer.check import Checked, check_tokenizer
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.encoder import Encoder

FORM = (MalformedError, LimitError)
# Of each kind one, for what takes a bundle.
SOME = ("exponential", "a million for one", "garbage for a map", "padding to 2^40", "a special token that is not there")


def test_there_are_more_than_ninety():
    assert len(HOSTILE) >= 90


def test_what_is_tried_against_passes_unharmed():
    for name, data in known_good().items():
        assert isinstance(check_tokenizer(data, name), Checked)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_before_the_library_sees_it(name, monkeypatch):
    data, said = HOSTILE[name]
    files = with_tokenizer(encoder_files(), data)
    monkeypatch.setattr(library, "library", lambda: pytest.fail("the library was asked"))
    with pytest.raises(FORM) as caught:
        Model.from_files(files)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_more_pieces_than_the_limit_are_refused(monkeypatch):
    assert LIMITS.tokenizer_pieces == 1_000_000
    monkeypatch.setattr(vocabulary, "LIMITS", LIMITS._replace(tokenizer_pieces=3))
    with pytest.raises(LimitError, match="has 4 pieces; expected at most 3"):
        check_tokenizer(small(), "tokenizer.json")


@pytest.mark.parametrize("name", SOME)
def test_a_bundle_with_a_hostile_tokenizer_changes_nothing(name, tmp_path, instance, refused, sealift_command):
    simulator = ChannelSimulator(tmp_path / "channel")
    simulator.add("words", files=with_tokenizer(encoder_files(), HOSTILE[name][0]))
    simulator.release()
    bundle = simulator.pack_anything(tmp_path / "bad.tar")
    instance.pin(simulator.root_bytes)
    status, _, err = sealift_command("verify", str(bundle))
    assert status in range(10, 20), err
    assert HOSTILE[name][1] in err
    with refused(FORM):
        instance.install(bundle)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: {**files, "tokenizer.json": small()}, r"its frontend\.json says sha256"),
        (lambda files: {n: data for n, data in files.items() if n != "tokenizer.json"}, r"lacks 'tokenizer\.json'"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], embedding_rows=499), "the graph knows 499"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], max_tokens=2), "leaves none for the text"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], max_tokens=8193), "expected 1 to 8,192"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], inputs={"ids": "ids"}), "makes the inputs"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], inputs={"ids": "a", "mask": "a"}), "twice"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], file="model.json"), r"ends in 'tokenizer\.json'"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], file="../tokenizer.json"), "a plain name"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], digest="md5:1"), "expected sha256"),
        (lambda files: with_tokenizer(files, files["tokenizer.json"], padding=True), "unknown key 'padding'"),
    ],
)
def test_a_declaration_that_does_not_fit_changes_nothing(change, said, tmp_path, instance, refused):
    simulator = ChannelSimulator(tmp_path / "channel")
    simulator.add("words", files=change(encoder_files()))
    simulator.release()
    bundle = simulator.pack_anything(tmp_path / "bad.tar")
    instance.pin(simulator.root_bytes)
    with refused((*FORM, DigestError), said):
        instance.install(bundle)


@pytest.mark.parametrize("name", SOME)
def test_a_recipe_with_a_hostile_tokenizer_stages_nothing(name, tmp_path, monkeypatch):
    bench = Workbench(tmp_path, monkeypatch)
    write_encoder(tmp_path)
    data = HOSTILE[name][0]
    if name == "padding to 2^40":
        # A file's own padding is left out, and with it the harm.
        data = HOSTILE["exponential"][0].replace(
            b'"padding": null', b'"padding": {"strategy": {"Fixed": 1099511627776}}'
        )
    (tmp_path / "tokenizer.json").write_bytes(data)
    bench.recipe("model.onnx", bench.put("texts", ["a"]), '[frontend]\ntokenizer = "tokenizer.json"\nmax_tokens = 16')
    before = sorted(tmp_path.joinpath("ch").rglob("*"))
    status, _, err = bench.add()
    assert status in range(10, 20), err
    assert err.count("\n") == 1
    assert sorted(tmp_path.joinpath("ch").rglob("*")) == before


def test_a_panic_of_the_library_is_an_error_of_ours_and_it_works_afterwards():
    broken = {"type": "FixedLength", "length": 0}
    tokenizer = tokenizers.Tokenizer.from_str(small(pre_tokenizer=broken).decode())
    declared = DeclaredTokenizer("tokenizer.json", "", 8, 4, {"ids": "ids"}, prefix=False)
    for texts in (["abc"], ["abc"] * 20):
        with pytest.raises(InputError, match="the tokenizer cannot take text row 0: PanicException"):
            Encoder(declared, tokenizer, Checked(4, 0, 0)).encode(texts)
    fine = tokenizers.Tokenizer.from_str(small().decode())
    assert Encoder(declared, fine, Checked(4, 0, 0)).encode(["a"])[0].ids == [1]


def test_an_interrupt_is_no_panic():
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.asked(InputError, interrupted)


def test_a_file_that_the_library_refuses_is_incompatible():
    with pytest.raises(IncompatibleError, match=r"tokenizers 0\.[0-9.]+ refuses the tokenizer of m: "):
        library.open_tokenizer(b"{}", "m")


def test_json_that_passes_holds_nothing_unknown():
    document = json.loads(small())
    for key in document:
        with pytest.raises(FORM):
            check_tokenizer(json.dumps({**document, key: {"type": "Nope"}}).encode(), "t")
