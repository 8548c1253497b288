"""A file that claims a terabyte and holds nothing, or a pipe that nobody writes, wherever a file can be named."""

import os
import tracemalloc

import pytest

from sealift.bundle import holes
from sealift.bundle.part_header import HEADER_BYTES, PartHeader
from sealift.errors import Error, LimitError, MalformedError, UnsafeStoreError, UsageError
from sealift.limits import LIMITS, MIB

pytestmark = pytest.mark.usefixtures("no_replay")

TERABYTE = 2**40


@pytest.fixture(autouse=True)
def reading(monkeypatch):
    """Fail at once, and not after an hour, where work follows the length that a file claims."""
    total = [0]

    def counted(function):
        def counting(*arguments, **keywords):
            result = function(*arguments, **keywords)
            total[0] += result if isinstance(result, int) else len(result)
            assert total[0] < 64 * MIB
            return result

        return counting

    for name in ("pread", "preadv", "read"):
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 256 * MIB


@pytest.fixture
def bundle(channel, instance, tmp_path):
    (tmp_path / "first").mkdir()
    channel.add("alpha", "1.0.0")
    channel.release()
    instance.pin(channel.root_bytes)
    instance.install(channel.pack(tmp_path / "first"))
    channel.add("alpha", "1.1.0")
    channel.release()
    return channel.pack(tmp_path)


@pytest.fixture(params=["sparse", "pipe"])
def nothing(request, tmp_path):
    """A file that never ends, in one of two ways."""
    path = tmp_path / "nothing.tar"
    if request.param == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, TERABYTE)
    return path


def one_part(directory, data):
    digest = "sha256:" + "0" * 64
    header = PartHeader("sim.tar", digest, TERABYTE, 1, 1, 0, TERABYTE, digest)
    path = directory / "sim.tar.part-01-of-01"
    path.write_bytes(header.to_bytes() + data)
    os.truncate(path, HEADER_BYTES + TERABYTE)
    return path


@pytest.mark.parametrize("length", [0, 20000])
def test_a_part_of_holes_is_refused_before_its_digest_is_computed(length, bundle, instance, tmp_path):
    path = one_part(tmp_path, bundle.read_bytes()[:length])
    before = instance.snapshot()
    with pytest.raises(MalformedError, match=r"part 1 of 1 .* is not completely copied.*were never written"):
        instance.install(path)
    assert instance.snapshot() == before


def test_a_bundle_with_a_sparse_tail_is_refused_after_its_own_bytes(bundle, instance):
    before = instance.snapshot()
    os.truncate(bundle, TERABYTE)
    with pytest.raises(MalformedError, match="does not end"):
        instance.install(bundle)
    assert instance.snapshot() == before


def test_nothing_in_place_of_a_bundle_a_root_or_a_backup(nothing, bundle, instance, tmp_path):
    from sealift.backup.restore import restore
    from sealift.bundle.archive import open_regular
    from sealift.store import Store
    from sealift.trust import pin

    before = instance.snapshot()
    with pytest.raises(Error):
        instance.install(nothing)
    trust = tmp_path / "trust"
    trust.mkdir()
    (trust / pin.FILE_NAME).symlink_to(nothing)
    with pytest.raises((OSError, UnsafeStoreError), match=r"real file|more than"):
        pin.read(trust, None)
    with pytest.raises((LimitError, UsageError)):
        pin.read_given(nothing)
    with pytest.raises((Error, OSError)), open_regular(str(nothing)) as stream:
        restore(stream, Store(tmp_path / "other", trust=instance.store.trust_directory))
    assert instance.snapshot() == before


def test_a_backup_of_holes(bundle, instance, tmp_path):
    """Its document can name zeros by their digest, so that every file is as it says."""
    from click.testing import CliRunner

    from sealift.cli.store.restore import command

    path = tmp_path / "store.tar"
    path.write_bytes(b"x" * 4096)
    os.truncate(path, TERABYTE)
    places = ["--store", str(tmp_path / "other"), "--trust", str(instance.store.trust_directory)]
    outcome = CliRunner().invoke(command, [str(path), *places])
    assert isinstance(outcome.exception, MalformedError)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("where", ["source", "samples", "card"])
def test_nothing_in_place_of_what_a_recipe_names(where, nothing, tmp_path):
    from sealift_bundler.errors import RecipeError
    from sealift_bundler.release.recipes.recipe import Recipe

    for name in ("model.joblib", "rows.csv", "CARD.md"):
        (tmp_path / name).write_text("a,b\n1,2\n")
    names = {"source": "model.joblib", "samples": "rows.csv", "card": "CARD.md", where: nothing.name}
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'name = "toy"\nversion = "1.0.0"\n'
        + "".join(f'{key} = "{value}"\n' for key, value in names.items())
        + 'title = "t"\ndescription = "d"\nauthors = ["a"]\nlicenses = ["MIT"]\n'
    )
    with pytest.raises(RecipeError, match=r"not a plain file|never written"):
        Recipe.load(recipe)


def test_nothing_in_place_of_a_recipe_a_model_or_rows(nothing):
    from sealift_bundler.errors import RecipeError, SourceError
    from sealift_bundler.release.recipes.recipe import Recipe
    from sealift_bundler.samples.files import read_samples
    from sealift_bundler.source.openers import check_source

    with pytest.raises(RecipeError):
        Recipe.load(nothing)
    for suffix in (".joblib", ".onnx", ".csv", ".json", ".txt"):
        named = nothing.rename(nothing.with_suffix(suffix))
        if suffix in (".joblib", ".onnx"):
            with pytest.raises(SourceError):
                check_source(named)
        else:
            with pytest.raises(SourceError, match=r"not a plain file|never written"):
                read_samples(named, None)
        nothing = named


def test_nothing_in_another_channel_that_is_merged(nothing, tmp_path):
    from sealift_common.errors import ChannelError
    from sealift_keys.channel.directory import Channel

    (tmp_path / "other" / "tuf").mkdir(parents=True)
    nothing.rename(tmp_path / "other" / "tuf" / "1.root.json")
    with pytest.raises(ChannelError, match="not a plain file of at most"):
        Channel.open(tmp_path / "other").root()


def test_a_bundle_of_holes_is_not_split_or_compared(bundle, tmp_path):
    from sealift_bundler.packing.parts import split
    from sealift_bundler.packing.whole import digest_of

    os.truncate(bundle, TERABYTE)
    with pytest.raises(MalformedError, match="never written"):
        split(bundle, tmp_path / "parts", 100 * MIB)
    assert digest_of(bundle) == "not completely copied"


def test_zeros_that_a_copy_left_out_are_no_harm(tmp_path):
    """`cp --sparse=always` makes holes of zeros; the bytes are the same."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(LIMITS.hole_bytes)
        holes.require_written(file.fileno(), "it")
        file.truncate(LIMITS.hole_bytes + 1)
        with pytest.raises(MalformedError):
            holes.require_written(file.fileno(), "it")
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 0
