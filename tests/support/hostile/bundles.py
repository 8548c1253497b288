"""Bundles that a malicious or sloppy signer would make, and tar headers that nobody should."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rfc8785
from support.release.channel_simulator import ChannelSimulator, renamed, toy_files, write_once

from sealift.bundle.tarformat import END, Member
from sealift_bundler.release.modelpack import Descriptor
from sealift_bundler.release.staging import stage
from sealift_common.blob import Blob, is_digest
from sealift_common.names import ModelVersion
from sealift_common.oci import layout

MTIME = 1_800_000_000
Documents = Callable[[dict[str, Any], dict[str, Any]], object]


def put(channel: ChannelSimulator, data: bytes) -> Blob:
    """Put bytes among the channel's blobs."""
    digest = layout.sha256(data)
    (channel.channel.blobs_dir / digest.removeprefix("sha256:")).write_bytes(data)
    return Blob(digest, len(data))


def sign(
    channel: ChannelSimulator,
    output: Path,
    *,
    files: dict[str, bytes] | None = None,
    change: Documents = lambda _manifest, _config: None,
    raw_manifest: Callable[[bytes], bytes] = bytes,
    raw_config: Callable[[bytes], bytes] = bytes,
) -> Path:
    """Sign `toy 1.0.0` with `files` over the toy's own (None removes one) and its documents changed; return a bundle."""
    model = ModelVersion.parse("toy", "1.0.0")
    content = {**renamed(toy_files(), "toy", "1.0.0"), "CARD.md": b"# toy\n", **(files or {})}
    blobs = channel.channel.blobs_dir
    reference = write_once(
        blobs, model, {name: data for name, data in content.items() if data is not None}, Descriptor()
    )
    manifest = json.loads((blobs / reference.hex).read_bytes())
    config = json.loads((blobs / manifest["config"]["digest"].removeprefix("sha256:")).read_bytes())
    kept = manifest["config"].copy()
    change(manifest, config)
    if manifest.get("config") == kept:
        written = put(channel, raw_config(_canonical(config)))
        manifest["config"] |= {"digest": written.digest, "size": written.size}
    stage(channel.channel, model, put(channel, raw_manifest(_canonical(manifest))))
    channel.release()
    return pack_raw(channel, output)


def _canonical(document: Any) -> bytes:
    try:
        return rfc8785.dumps(document)
    except rfc8785.CanonicalizationError:
        return json.dumps(document).encode()


def pack_raw(channel: ChannelSimulator, output: Path) -> Path:
    """Write a bundle of everything that is signed, in order, without looking at what it says."""
    tuf = channel.channel.tuf_dir
    roots = sorted(tuf.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
    head = {f"tuf/{path.name}": path.read_bytes() for path in roots}
    head |= {f"tuf/{role}.json": (tuf / f"{role}.json").read_bytes() for role in layout.TUF_ROLES}
    head[layout.MANIFEST_MD] = b"proves nothing\n"
    targets = {
        ModelVersion.from_target_path(path): Blob("sha256:" + target.hashes["sha256"], target.length)
        for path, target in channel.channel.targets().signed.targets.items()
    }
    index = layout.index_bytes(
        ((model, blob.digest, blob.size) for model, blob in targets.items()),
        {name: layout.sha256(data) for name, data in head.items()},
    )
    members = [(layout.OCI_LAYOUT, layout.OCI_LAYOUT_BYTES), (layout.INDEX, index), *head.items()]
    manifests = {blob.digest: _blob(channel, blob.digest) for blob in targets.values()}
    configs, files = {}, {}
    for data in manifests.values():
        for descriptor, found in _descriptors(data, configs, files):
            digest = descriptor.get("digest")
            if is_digest(digest):
                found[digest] = _blob(channel, digest)
    members += [(layout.blob_name(digest), manifests[digest]) for digest in sorted(manifests)]
    members += [(layout.blob_name(digest), configs[digest]) for digest in sorted(configs)]
    ordered = sorted(files.items(), key=lambda item: (len(item[1]), item[0]))
    members += [(layout.blob_name(digest), data) for digest, data in ordered if digest not in configs]
    return write(members, output)


def _descriptors(data: bytes, configs: dict[str, bytes], files: dict[str, bytes]) -> list[tuple[Any, dict[str, bytes]]]:
    try:
        manifest = json.loads(data)
        found = [(manifest["config"], configs), *((layer, files) for layer in manifest["layers"])]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    return [(descriptor, place) for descriptor, place in found if isinstance(descriptor, dict)]


def _blob(channel: ChannelSimulator, digest: str) -> bytes:
    path = channel.channel.blobs_dir / digest.removeprefix("sha256:")
    return path.read_bytes() if path.is_file() else b"nothing"


def write(members: list[tuple[str, bytes]], output: Path) -> Path:
    """Write a tar of plain members."""
    output.write_bytes(b"".join(map(member_bytes, *zip(*members, strict=True))) + END)
    return output


def member_bytes(name: str, data: bytes, *, header: bytes | None = None, mtime: int = MTIME) -> bytes:
    """One member with its padding; `header` in place of the canonical one."""
    member = Member(name, len(data), mtime)
    return (member.header() if header is None else header) + data + bytes(member.padding)


def raw_header(name: bytes, length: int, **fields: bytes) -> bytes:
    """512 bytes of a ustar header for `length` bytes, the canonical one but for `fields`; the checksum is right unless given."""
    values = {
        "name": name,
        "mode": b"0000644\0",
        "uid": b"0000000\0",
        "gid": b"0000000\0",
        "size": b"%011o\0" % length,
        "mtime": b"%011o\0" % MTIME,
        "chksum": b"        ",
        "type": b"0",
        "linkname": b"",
        "magic": b"ustar\0",
        "version": b"00",
        "uname": b"",
        "gname": b"",
        "devmajor": b"",
        "devminor": b"",
        "prefix": b"",
    } | {key: value for key, value in fields.items() if key != "chksum"}
    widths = (100, 8, 8, 8, 12, 12, 8, 1, 100, 6, 2, 32, 32, 8, 8, 155)
    block = b"".join(value[:width].ljust(width, b"\0") for value, width in zip(values.values(), widths, strict=True))
    block = block.ljust(512, b"\0")
    chksum = fields.get("chksum", b"%06o\0 " % sum(block))
    return block[:148] + chksum[:8].ljust(8, b"\0") + block[156:]
