"""Which roles instances demand of every version, and which versions are exempt because they were released before.

    root    sealift.review = {"require": ["<role>"], "exempt": ["sha256:<manifest>"]}

The gate of a release is the builder's; this is what holds where somebody signs targets with other tools.
"""

from copy import deepcopy
from typing import Any

from tuf.api.metadata import Root

from sealift_common.errors import UsageError
from sealift_common.metadata.release_document import FIELD, REVIEW, REVIEWERS
from sealift_common.review.reviewers import MAX_EXEMPT
from sealift_common.wording import counted
from sealift_keys.ceremony.draft import Draft
from sealift_keys.ceremony.quorum import unasked
from sealift_keys.channel.directory import Channel

_SHOWN = 20


def exempt_released(draft: Draft, channel: Channel, role: str, *, require: bool | None) -> None:
    """Write which roles instances demand; what is listed now and lacks what is new is exempt.

    Args:
        require: whether `role` is demanded from now on; None leaves it as it is.

    Raises:
        UsageError: more versions would be exempt than root can hold.
        ChannelError: a file of a released version is missing.
    """
    released = channel.released()
    first = draft.previous is None or REVIEWERS not in draft.previous.unrecognized_fields.get(FIELD, {})
    review = _review(draft.root, first=first)
    if review is None and require is None:
        return
    review = review or {"require": [], "exempt": []}
    before = set(review["exempt"])
    if first:
        review["exempt"] = [blob.digest for blob in released.values()]
    if require is not None and require != (role in review["require"]):
        review["require"] = sorted({*review["require"], role} if require else {*review["require"]} - {role})
        said = "every version that is not exempt" if require else "no version from now on"
        draft.lines.append(f"reviewers for {role}: instances demand them of {said}")
    draft.root.unrecognized_fields[FIELD] = {**draft.root.unrecognized_fields[FIELD], REVIEW: review}
    if require:
        review["exempt"] += [blob.digest for _, blob in unasked(channel, draft.root)]
    # A version that is gone never returns.
    listed = {blob.digest for blob in released.values()}
    review["exempt"] = sorted(listed.intersection(review["exempt"]))
    if len(review["exempt"]) > MAX_EXEMPT:
        raise UsageError(
            f"root would exempt {len(review['exempt']):,} versions; expected at most {MAX_EXEMPT:,}: withdraw those "
            "that nobody needs, or have them reviewed first"
        )
    names = [str(model) for model, blob in released.items() if blob.digest in set(review["exempt"]) - before]
    if names:
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        what = counted(len(names), "version")
        draft.lines.append(f"exempt, as released before: {what}: {', '.join(names[:_SHOWN])}{more}")


def _review(root: Root, *, first: bool) -> dict[str, Any] | None:
    """Return a copy of what root says; None where it says nothing and need not."""
    found = root.unrecognized_fields[FIELD].get(REVIEW)
    if found is None:
        return {"require": [], "exempt": []} if first else None
    copied: dict[str, Any] = deepcopy(found)
    return copied
