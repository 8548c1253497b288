"""Tell the whole chain of one bundle, link by link: who signed, what threshold, what expires when. Pure.

This explains; it decides nothing. The verdict is `sealift.inspection.verify`'s, and comes with the chain.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from tuf.api.metadata import Metadata, Root

from sealift.errors import Error
from sealift.trust import floor as floors
from sealift.trust import threshold
from sealift.trust.floor import Floor
from sealift.trust.metadata import parse
from sealift.trust.verdict import signature_refusal
from sealift_common.metadata.release_document import key_name


@dataclass(frozen=True)
class Link:
    """One file of the chain.

    Attributes:
        role: `pinned root`, `root`, `timestamp`, `snapshot` or `targets`.
        signers: names of the keys whose signatures are valid.
        keys: names of the keys that may sign.
        expires: RFC 3339, UTC.
        broken: why the chain ends here, or None.
    """

    role: str
    version: int | None
    signers: tuple[str, ...]
    threshold: int
    keys: tuple[str, ...]
    expires: str | None
    broken: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the link for `--json`."""
        return asdict(self)

    def __str__(self) -> str:
        version = "" if self.version is None else f" version {self.version}"
        signed = (
            "unreadable"
            if not self.keys
            else f"signed by {', '.join(self.signers) or 'nobody'} ({self.threshold} of {', '.join(self.keys)} needed)"
        )
        expires = "" if self.expires is None else f", expires {self.expires}"
        return f"{self.role}{version}: {signed}{expires}" + (f"\n    BROKEN: {self.broken}" if self.broken else "")


def explain(metadata: Mapping[str, bytes], pinned_root: bytes, floor: Floor | None, time: datetime) -> list[Link]:
    """Walk a bundle's metadata from the pinned root down, and stop at the first link that breaks.

    Args:
        metadata: file name (`1.root.json`, …, `targets.json`) to its unverified bytes.
        floor: what was accepted before, None on an instance that never accepted anything.
        time: the reference time, UTC.
    """
    links = []
    for link in _walk(metadata, pinned_root, floor, time):
        links.append(link)
        if link.broken:
            break
    return links


def agree(links: list[Link], refusal: str | None) -> list[Link]:
    """Let the chain say what the verdict says: nothing is broken in an accepted bundle, something is in a refused one.

    Args:
        refusal: the verdict's reason, or None for an accepted bundle.
    """
    if refusal is None:
        return [replace(link, broken=None) for link in links]
    if links and not any(link.broken for link in links):
        named = [place for place, link in enumerate(links) if refusal.startswith(link.role.split()[-1])]
        place = named[-1] if named else len(links) - 1
        return [*links[:place], replace(links[place], broken=refusal)]
    return links


def _walk(metadata: Mapping[str, bytes], pinned_root: bytes, floor: Floor | None, time: datetime) -> Iterator[Link]:
    pinned = Metadata[Root].from_bytes(pinned_root)
    root: Root = pinned.signed
    yield _link("pinned root", root, [root], pinned, _not_the_pinned(metadata, pinned))
    while (data := metadata.get(f"{root.version + 1}.root.json")) is not None:
        new, broken = _parse(data, "root")
        if new is None:
            yield Link("root", root.version + 1, (), 1, (), None, broken)
            return
        if new.signed.version != root.version + 1:
            broken = f"it calls itself version {new.signed.version}; expected {root.version + 1}"
        yield _link("root", root, [root, new.signed], new, broken)
        root = new.signed
    if root.is_expired(time):
        yield Link(
            "root", root.version, (), 1, (), _when(root), f"it has expired; the time here is {time:%Y-%m-%d %H:%M} UTC"
        )
    expected: int | None = None
    for role in floors.ROLES:
        parsed, broken = _parse(metadata.get(f"{role}.json", b""), role)
        if parsed is None:
            yield Link(role, None, (), 1, (), None, broken)
            return
        yield _link(role, root, [root], parsed, _stale(parsed, role, expected, floor, time))
        expected = _named_version(parsed, role)


def _link(role: str, root: Root, judges: list[Root], metadata: Metadata[Any], broken: str | None) -> Link:
    name = role.rsplit(maxsplit=1)[-1]
    payload = metadata.signed_bytes
    valid: dict[str, str] = {}
    for judge in judges:
        result = judge.get_verification_result(name, payload, metadata.signatures)
        valid |= {keyid: key_name(key) for keyid, key in result.signed.items()}
        if not threshold.is_met(judge, name, metadata):
            broken = broken or str(signature_refusal(name, judge, metadata, payload))
    delegation = root.get_delegated_role(name)
    keys = tuple(sorted(key_name(root.keys[keyid]) for keyid in delegation.keyids if keyid in root.keys))
    signed = metadata.signed
    return Link(role, signed.version, tuple(sorted(valid.values())), delegation.threshold, keys, _when(signed), broken)


def _not_the_pinned(metadata: Mapping[str, bytes], pinned: Metadata[Root]) -> str | None:
    found, broken = _parse(metadata.get(f"{pinned.signed.version}.root.json", b""), "root")
    if found is None:
        return f"the bundle's own root version {pinned.signed.version}: {broken}"
    if found.signed_bytes != pinned.signed_bytes:
        return f"the bundle holds another root version {pinned.signed.version}: it is of another channel"
    return None


def _stale(metadata: Metadata[Any], role: str, expected: int | None, floor: Floor | None, time: datetime) -> str | None:
    signed = metadata.signed
    seen = getattr(floor, role, 0)
    if signed.version < seen:
        return f"version {seen} was accepted here before: the bundle is older than what is installed"
    if expected is not None and signed.version != expected:
        return f"the file before it names version {expected}: they are not of one release"
    if signed.is_expired(time):
        return _expired(time)
    return None


def _expired(time: datetime) -> str:
    return f"it has expired; the time here is {time:%Y-%m-%d %H:%M} UTC"


def _named_version(metadata: Metadata[Any], role: str) -> int | None:
    if role == "timestamp":
        return int(metadata.signed.snapshot_meta.version)
    if role == "snapshot" and "targets.json" in metadata.signed.meta:
        return int(metadata.signed.meta["targets.json"].version)
    return None


def _parse(data: bytes, role: str) -> tuple[Metadata[Any] | None, str | None]:
    if not data:
        return None, "it is missing"
    try:
        return parse(data, role), None
    except Error as error:
        return None, str(error)


def _when(signed: Any) -> str:
    return f"{signed.expires:%Y-%m-%dT%H:%M:%SZ}"
