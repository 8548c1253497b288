"""Differential bundles, and lies about their base."""

import json
import sys
import tarfile

import numpy as np
from support.release.channel_simulator import renamed, toy_files
from support.release.repack import read_members, write_members

from sealift.bundle.base import Base, Patch, parse_base
from sealift.errors import (
    DigestError,
    MalformedError,
    UnsafeMemberError,
)
from sealift_bundler.packing.differential import leave_out, since
from sealift_bundler.packing.whole import pack, prepare
from sealift_common.blob import Blob
from sealift_common.oci import layout

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


FORM = (MalformedError, UnsafeMemberError, DigestError)


WEIGHTS = "model.onnx.data"


def weights(seed, size=300_000):
    return np.random.default_rng(seed).bytes(size)


def files(name, version, data):
    return {**renamed(toy_files(), name, version), WEIGHTS: data, "CARD.md": f"# {name} {version}\n".encode()}


def differential(channel, base, output):
    scratch = output.with_suffix(".patches")
    scratch.mkdir()
    prepared = prepare(channel.directory)
    return pack(leave_out(prepared, since(channel.directory, str(base), prepared.release), scratch), output).path


def forge(bundle, output, change):
    """Change `base.json`, and members as fits, with all digests of the index right."""
    members = read_members(bundle)
    base = parse_base(members[layout.BASE])
    made = change(base, members)
    members[layout.BASE] = made if isinstance(made, bytes) else made.to_bytes()
    order = [name for name in members if not name.startswith(layout.PATCHES)]
    patches = sorted((n for n in members if n.startswith(layout.PATCHES)), key=lambda n: (len(members[n]), n))
    with tarfile.open(bundle) as tar:
        mtime = int(tar.getmembers()[0].mtime)
    written = write_members({name: members[name] for name in [*order, *patches]}, output, mtime=mtime, fix_index=False)
    return _indexed(written, output, mtime)


def _indexed(bundle, output, mtime):
    members = read_members(bundle)
    index = json.loads(members[layout.INDEX])
    index["annotations"][layout.MEMBER_DIGEST + layout.BASE] = layout.sha256(members[layout.BASE])
    members[layout.INDEX] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    return write_members(members, output, mtime=mtime, fix_index=False)


def patch_with(base, members, data, old=None):
    """Put `data` in place of the one patch."""
    (patch,) = base.patches
    members[patch.member] = data
    made = Patch(patch.blob, Blob(layout.sha256(data), len(data)), old or patch.old)
    return Base(base.release, base.digest, base.absent, (made,))


def frame(data, prefix):
    compressor = zstd.ZstdCompressor(zstd_dict=zstd.ZstdDict(prefix, is_raw=True).as_prefix)
    return compressor.compress(data) + compressor.flush()
