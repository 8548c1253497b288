"""Change who reviews: keys of reviewers in and out, thresholds, the questionnaires that count.

Rules, in addition to those of `rotation`:

1. A reviewer's key holds no role of TUF, in no root of the channel, and one role of reviewers: the people who
   approve are not those who release.
2. A key that is removed retires: what it signed before goes on counting. Only `revoke` voids it.
3. The digest of the questionnaire stands in root, so that a release engineer alone cannot soften it. One that is void
   no longer counts, nor does what was approved by it.
4. What was released before is never asked for what is new: the first reviewer, and each role that root requires from
   now on, exempts the listed versions that lack it.
5. What released versions lose, and would need, is said first, and written only where the caller accepts it.
"""

from collections.abc import Sequence
from copy import deepcopy
from datetime import datetime
from typing import Any

from securesystemslib.signer import Key, Signer, SSlibKey
from tuf.api.metadata import Root

from sealift_common import fingerprint
from sealift_common.clock import release_time, rfc3339
from sealift_common.errors import UsageError
from sealift_common.files import durable
from sealift_common.metadata.release_document import FIELD, REVIEWERS, key_name, revocations
from sealift_common.metadata.succession import keys_of
from sealift_common.names import is_model_name
from sealift_common.review.questionnaire import FILE_NAME, default_bytes, parse_questionnaire
from sealift_common.review.reviewers import QUESTIONNAIRES
from sealift_common.wording import counted
from sealift_keys.ceremony.draft import Draft
from sealift_keys.ceremony.exemption import exempt_released
from sealift_keys.ceremony.quorum import losing
from sealift_keys.ceremony.rotation import Changed, change_root
from sealift_keys.channel.directory import ROLES, Channel


def change_reviewers(
    channel: Channel,
    role: str = "",
    *,
    add: Sequence[SSlibKey] = (),
    remove: Sequence[str] = (),
    threshold: int | None = None,
    require: bool | None = None,
    void: Sequence[str] = (),
    accept_loss: bool = False,
    signers: Sequence[Signer] = (),
    now: datetime | None = None,
) -> Changed:
    """Put keys into a role of reviewers, let others retire, or change how many must approve, in one new root.

    The questionnaire that counts now, the channel's own or Sealift's, is recorded with it. Where it is Sealift's, the
    channel gets it as its own: the next Sealift may ask other questions.

    Args:
        role: of reviewers; empty where only questionnaires become void.
        require: whether instances demand the role of every version that is not exempt; None leaves it as it is.
        void: digests of questionnaires by which nothing counts as approved from now on.
        accept_loss: write it although released versions lose an approval that they need.

    Raises:
        UsageError: nothing would change, a name is unknown, or the result breaks a rule.
        KeyFileError, ChannelError: as `rotate`.
    """
    if not (role or void) or (role and (not is_model_name(role) or role in ROLES)):
        raise UsageError(f"{role[:80]!r} is not a name for reviewers; expected for example 'security'")
    if not role and (add or remove or threshold is not None or require is not None):
        raise UsageError("say which reviewers, for example --role security")
    own = channel.questionnaire()
    questionnaire = parse_questionnaire(own or default_bytes()).digest

    def edit(draft: Draft) -> None:
        before = len(draft.lines)
        if role:
            _change_role(draft, role, add=add, remove=remove, threshold=threshold)
        _record_questionnaire(draft, questionnaire)
        _void(draft, void)
        exempt_released(draft, channel, role, require=require)
        if len(draft.lines) == before:
            raise UsageError(
                "nothing would change; give --add FILE.pub, --remove NAME, --threshold N, --require, --no-require or "
                "--void DIGEST"
            )
        _accept(draft, channel, accept_loss=accept_loss)

    changed = change_root(channel, edit, signers, now)
    if own is None:
        durable.write_file(channel.directory / FILE_NAME, default_bytes())
    return changed


def _change_role(
    draft: Draft, role: str, *, add: Sequence[SSlibKey], remove: Sequence[str], threshold: int | None
) -> None:
    entry = _entry(draft.root, role)
    for name in remove:
        _retire(draft, role, entry, name)
    for key in add:
        _join(draft, role, entry, key)
    if threshold is not None and threshold != entry["threshold"]:
        draft.lines.append(f"reviewers for {role}: threshold {entry['threshold']} becomes {threshold}")
        entry["threshold"] = threshold
    if not 1 <= entry["threshold"] <= len(entry["keyids"]):
        raise UsageError(
            f"reviewers for {role!r}: threshold {entry['threshold']} cannot be met with "
            f"{counted(len(entry['keyids']), 'key')}; add a key in the same step, or lower the threshold"
        )


def _accept(draft: Draft, channel: Channel, *, accept_loss: bool) -> None:
    lost = losing(channel, draft.root)
    if lost and not accept_loss:
        raise UsageError(
            f"{counted(len(lost), 'released version')} would lack an approval: {', '.join(map(str, lost[:20]))}; "
            "nothing was written: give --yes to change it all the same, and have them reviewed again"
        )
    draft.lines += [f"{model} lacks an approval now: have it reviewed again" for model in lost]


def leave_reviewers(draft: Draft, key: Key, replacement: SSlibKey | None) -> None:
    """Take a key that was stolen out of every role of reviewers, with all that it signed.

    Raises:
        UsageError: a role could no longer meet its threshold.
    """
    fields = draft.root.unrecognized_fields[FIELD]
    for role, entry in fields.get(REVIEWERS, {}).items():
        listed = [keyid for keyid in entry["keyids"] if keyid != key.keyid]
        retired = [one for one in entry.get("retired", []) if one["keyid"] != key.keyid]
        if (len(listed), len(retired)) == (len(entry["keyids"]), len(entry.get("retired", []))):
            continue
        own = _entry(draft.root, role)
        own["keyids"], own["retired"] = listed, retired
        draft.lines.append(f"reviewers for {role}: removed {key_name(key)!r}; what it signed no longer counts")
        if replacement is not None and len(listed) < len(entry["keyids"]):
            _join(draft, role, own, replacement)
        if len(own["keyids"]) < own["threshold"]:
            raise UsageError(
                f"reviewers for {role!r} would have {len(own['keyids'])} keys for {own['threshold']} approvals; "
                "give --replace-with PUB, or lower the threshold first"
            )
        draft.root.keys.pop(key.keyid, None)


def _entry(root: Root, role: str) -> dict[str, Any]:
    """Return the entry of a role in a root that may be changed."""
    entry: dict[str, Any] = (
        _fields(root).setdefault(REVIEWERS, {}).setdefault(role, {"keyids": [], "threshold": 1, "retired": []})
    )
    entry.setdefault("retired", [])
    return entry


def _fields(root: Root) -> dict[str, Any]:
    """Return Sealift's own fields of a root that may be changed; those of the root before are not touched."""
    fields: dict[str, Any] = deepcopy(root.unrecognized_fields[FIELD])
    root.unrecognized_fields[FIELD] = fields
    return fields


def _join(draft: Draft, role: str, entry: dict[str, Any], key: SSlibKey) -> None:
    material = fingerprint.material(key)
    for known in revocations(draft.root):
        if known["fingerprint"] == fingerprint.of_bytes(material):
            raise UsageError(f"key {key_name(key)!r} was revoked at {known['at']}: {known['reason']!r}; make a new one")
    for root in (*draft.earlier, draft.root):
        signs = next((one for one in ROLES if material in keys_of(root, one)), None)
        if signs is not None:
            raise UsageError(
                f"key {key_name(key)!r} signs {signs!r}, in root {root.version}; reviewers need keys of their own: "
                "make one with sealift-keys new"
            )
    for other, held in draft.root.unrecognized_fields[FIELD][REVIEWERS].items():
        keyids = [*held["keyids"], *(one["keyid"] for one in held.get("retired", []))]
        if any(fingerprint.material(draft.root.keys[keyid]) == material for keyid in keyids):
            raise UsageError(
                f"key {key_name(key)!r} reviews for {other!r} already, or did; give each role keys of its own"
            )
    for one in draft.root.keys.values():
        if key_name(one) == key_name(key):
            raise UsageError(
                f"another key of this channel is named {key_name(key)!r}; give the new one another name: "
                "put 'name: NEW' on the first line of its .pub file"
            )
    draft.root.keys[key.keyid] = key
    entry["keyids"].append(key.keyid)
    draft.lines.append(f"reviewers for {role}: added {key_name(key)!r}")


def _retire(draft: Draft, role: str, entry: dict[str, Any], name: str) -> None:
    key = draft.find(name)
    if key.keyid not in entry["keyids"]:
        raise UsageError(f"key {key_name(key)!r} does not review for {role!r}; `sealift-keys show` lists who does")
    entry["keyids"].remove(key.keyid)
    entry["retired"].append({"at": rfc3339(release_time()), "keyid": key.keyid})
    draft.lines.append(f"reviewers for {role}: {key_name(key)!r} retires; what it signed so far goes on counting")


def _void(draft: Draft, digests: Sequence[str]) -> None:
    """Void questionnaires, and with them what was approved by them."""
    listed = _fields(draft.root).get(QUESTIONNAIRES, [])
    for digest in digests:
        found = next((one for one in listed if one["digest"] == digest and not one["void"]), None)
        if found is None:
            known = ", ".join(one["digest"] for one in listed if not one["void"])
            raise UsageError(f"root has no questionnaire {digest[:80]!r} that counts; those that do: {known}")
        if found is listed[-1]:
            raise UsageError(
                f"{digest} is what new versions answer; change {FILE_NAME} first, and void this one in the same step"
            )
        found["void"] = True
        draft.lines.append(f"questionnaire {digest} is void: what was approved by it no longer counts")


def _record_questionnaire(draft: Draft, digest: str) -> None:
    fields = _fields(draft.root)
    listed = fields.setdefault(QUESTIONNAIRES, [])
    if any(one["void"] and one["digest"] == digest for one in listed):
        raise UsageError(f"{FILE_NAME} is {digest}, which root voided; write another before reviewers change")
    if listed and listed[-1]["digest"] == digest:
        return
    # The newest is what new versions are held to; the earlier ones go on counting for the versions of their day.
    listed[:] = [one for one in listed if one["digest"] != digest]
    listed.append({"at": rfc3339(release_time()), "digest": digest, "void": False})
    draft.lines.append(f"{FILE_NAME}: {digest} is what new versions answer")
