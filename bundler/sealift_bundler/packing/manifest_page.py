"""The page for people inside a bundle. It follows from the channel alone, and proves nothing."""

from collections.abc import Iterable

from sealift_common.metadata.release_document import Release
from sealift_common.oci.manifest import Manifest


def manifest_md(release: Release, manifests: Iterable[Manifest]) -> str:
    """Return `MANIFEST.md` for a bundle that carries `manifests`."""
    lines = [
        f"# {release.channel}, release {release.number}",
        "",
        "This page is for people. It proves nothing: only `sealift verify` tells whether this bundle is genuine.",
        "",
        f"Released {release.released:%Y-%m-%d %H:%M} UTC.",
        "",
        "| model | version | files | size in bytes | license | manifest |",
        "|---|---|---|---|---|---|",
    ]
    for manifest in manifests:
        licenses = ", ".join(_plain(text) for text in manifest.descriptor.get("licenses", [])) or "not stated"
        lines.append(
            f"| {manifest.model.name} | {manifest.model.version} | {len(manifest.files)} | {manifest.size} "
            f"| {licenses} | {manifest.digest} |"
        )
    if release.withdrawn:
        lines += ["", "Withdrawn:", ""]
        lines += [f"- {withdrawal.model}: {_plain(withdrawal.reason)}" for withdrawal in release.withdrawn]
    lines += ["", "Install it with `sealift install`, which verifies everything before it changes anything.", ""]
    return "\n".join(lines)


def _plain(text: object) -> str:
    """Keep a signed text on one line and out of the table's syntax."""
    return " ".join(str(text).replace("|", "/").split())
