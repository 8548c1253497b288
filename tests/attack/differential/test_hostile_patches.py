"""Patches and bases that lie: refused by class, with the store unchanged."""

import json

import pytest
from support.hostile.differentials import FORM, differential, files, forge, frame, patch_with, weights
from support.release.repack import read_members

from sealift.bundle.base import Base, Patch
from sealift.errors import (
    DigestError,
    LimitError,
    MalformedError,
    NotInstalledError,
    UnsupportedVersionError,
)
from sealift.limits import LIMITS
from sealift_common.blob import Blob
from sealift_common.oci import layout


def test_a_patch_that_expands_too_much(update, old, instance, refused, tmp_path):
    instance.install(old)
    bomb = frame(weights(1) + bytes(5_000_000), weights(1))
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, bomb))
    with refused(DigestError, "expands beyond its signed length of 300,000 bytes"):
        instance.install(bad)


@pytest.mark.parametrize("kind", ["short", "other", "no frame", "two frames", "trailing", "cut", "empty frame"])
def test_a_patch_that_makes_something_else(kind, update, old, instance, refused, tmp_path):
    instance.install(old)
    right = weights(1)[:290_000] + weights(3, 10_000)
    good = frame(right, weights(1))
    data = {
        "short": frame(right[:-1], weights(1)),
        "other": frame(right[:-1] + b"x", weights(1)),
        "no frame": b"not a frame at all",
        "two frames": good + good,
        "trailing": good + b"x",
        "cut": good[:-2],
        "empty frame": frame(b"", weights(1)),
    }[kind]
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, data))
    with refused(DigestError):
        instance.install(bad)
    assert instance.install(
        forge(update, tmp_path / "good.tar", lambda base, members: patch_with(base, members, good))
    ).changed


def test_a_patch_that_wants_a_huge_window(update, old, instance, refused, tmp_path):
    instance.install(old)
    # Magic, a window descriptor of 2 GiB, and an empty last block.
    data = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"
    bad = forge(update, tmp_path / "bad.tar", lambda base, members: patch_with(base, members, data))
    with refused(LimitError, "window of"):
        instance.install(bad)


def test_a_patch_to_the_file_of_another_model(update, old, instance, refused, tmp_path):
    """`old` may name any file of the store; what comes of it is not what was signed."""
    instance.install(old)
    other = Blob(layout.sha256(weights(2)), 300_000)
    bad = forge(
        update,
        tmp_path / "bad.tar",
        lambda base, members: patch_with(base, members, members[base.patches[0].member], other),
    )
    with refused(DigestError):
        instance.install(bad)


def test_the_patch_of_another_model(new, old, instance, refused, tmp_path):
    instance.install(old)
    new.add("beta", "1.1.0", files("beta", "1.1.0", weights(2)[:280_000] + weights(5, 20_000)))
    new.release()
    update = differential(new, 2, tmp_path / "two.tar")

    def swap(base, members):
        one, other = base.patches
        members[one.member], members[other.member] = members[other.member], members[one.member]
        return Base(
            base.release,
            base.digest,
            base.absent,
            (Patch(one.blob, other.content, other.old), Patch(other.blob, one.content, one.old)),
        )

    with refused(DigestError):
        instance.install(forge(update, tmp_path / "bad.tar", swap))


def test_a_damaged_patch(update, old, instance, refused, tmp_path):
    instance.install(old)
    members = read_members(update)
    data = bytearray(update.read_bytes())
    patch = next(members[name] for name in members if name.startswith(layout.PATCHES))
    data[data.index(patch) + len(patch) // 2] ^= 1
    (tmp_path / "bad.tar").write_bytes(data)
    with refused(DigestError):
        instance.install(tmp_path / "bad.tar")


def drop_a_blob(base, members):
    """Claim that the base has a file of gamma, which it has not."""
    digest = layout.sha256(weights(4))
    del members[layout.blob_name(digest)]
    return Base(base.release, base.digest, base.absent | {digest}, base.patches)


def test_a_missing_blob_that_the_base_does_not_have(update, old, instance, refused, tmp_path):
    instance.install(old)
    with refused(NotInstalledError, "the store lacks 'model.onnx.data' of gamma 1.0.0"):
        instance.install(forge(update, tmp_path / "bad.tar", drop_a_blob))


def test_a_blob_that_is_not_there_and_not_left_out(update, old, instance, refused, tmp_path):
    instance.install(old)

    def drop(base, members):
        del members[layout.blob_name(layout.sha256(weights(4)))]
        return base

    with refused(FORM):
        instance.install(forge(update, tmp_path / "bad.tar", drop))


def _base(**changes):
    def change(base, _members):
        document = {**json.loads(base.to_bytes()), **changes}
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    return change


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (_base(schema="sealift.base/2"), UnsupportedVersionError),
        (_base(absent=["sha256:" + "0" * 64]), MalformedError),
        (_base(absent="x"), MalformedError),
        (_base(absent=[5]), MalformedError),
        (_base(release=0), MalformedError),
        (_base(release=True), MalformedError),
        (_base(digest="sha1:x"), MalformedError),
        (_base(patches=[{}]), MalformedError),
        (_base(patches=None), MalformedError),
        (_base(surprise=1), MalformedError),
        (lambda base, _: base.to_bytes() + b" ", MalformedError),
        (lambda base, _: b"[]", MalformedError),
        (lambda base, _: b"{}", UnsupportedVersionError),
        (lambda base, _: Base(base.release, base.digest, base.absent, base.patches * 2), FORM),
        (lambda base, _: Base(base.release, base.digest, base.absent | {base.patches[0].blob}, base.patches), FORM),
        (
            lambda base, members: patch_with(
                base, members, b"x", Blob("sha256:" + "0" * 64, LIMITS.patched_file_size_bytes + 1)
            ),
            LimitError,
        ),
        (lambda base, members: patch_with(base, members, b"x", Blob("sha256:" + "0" * 64, 7)), MalformedError),
    ],
)
def test_a_base_that_is_not_as_written(change, error, update, old, instance, refused, tmp_path):
    instance.install(old)
    with refused(error):
        instance.install(forge(update, tmp_path / "bad.tar", change))


def test_a_patch_for_a_document(update, old, instance, refused, tmp_path):
    instance.install(old)

    def change(base, members):
        digest = next(layout.sha256(data) for data in members.values() if data == b"# gamma 1.0.0\n")
        del members[layout.blob_name(digest)]
        old_file = Blob(layout.sha256(b"# beta 1.0.0\n"), 13)
        data = frame(b"# gamma 1.0.0\n", b"# beta 1.0.0\n")
        patch = Patch(digest, Blob(layout.sha256(data), len(data)), old_file)
        members[patch.member] = data
        return Base(base.release, base.digest, base.absent, (*base.patches, patch))

    with refused(MalformedError, "a patch for 'CARD.md' of gamma 1.0.0; expected none"):
        instance.install(forge(update, tmp_path / "bad.tar", change))
