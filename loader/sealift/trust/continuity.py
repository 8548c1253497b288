"""Promises that a channel never takes back, whichever keys sign: the rules from one accepted release to the next.

1. The release time does not go back; within one second, neither do the versions listed.
2. Every withdrawal stays.
3. A version that stays listed keeps its digest.
4. What a reviewer said of a version that stays listed stays, or a later word of the same key replaces it; unless root
   revoked the key. A rejection holds also where an accepted release did not list the version meanwhile.

TUF versions alone do not hold a thief of keys to these, and they hold even where a floor is void. They end where the
keys that signed the earlier release are all gone: what a thief of the targets keys signed must not bind their
successors. In addition there is a rule within one release: it does not list what it withdraws. Pure.
"""

from collections.abc import Iterator

from sealift.errors import Error, MixError, RollbackError, WithdrawnError
from sealift_common.metadata.release_document import Release
from sealift_common.review.judgement import dropped
from sealift_common.review.statement import Subject

_REMEDY = "do not use this bundle, and ask the channel's owners who signed it"


def require(accepted: Release | None, new: Release, *, targets_keys_replaced: bool) -> tuple[str, ...]:
    """Refuse a release that takes back what this instance accepted.

    Args:
        accepted: the release before, None where there is none.
        targets_keys_replaced: nothing that earlier targets keys signed verifies under the new root.

    Returns:
        What `new` takes back of what was accepted, a sentence each; only where all targets keys were replaced.

    Raises:
        RollbackError: the release goes back, or a withdrawal is gone.
        MixError: a version has other bytes than before.
        WithdrawnError: the release lists a version that it withdraws.
    """
    if new.contradicted:
        withdrawal = new.contradicted[0]
        raise WithdrawnError(
            f"release {new.number} lists {withdrawal.model}, and says that it was withdrawn at {withdrawal.at} "
            f"({withdrawal.reason!r}); {_REMEDY}"
        )
    if accepted is None:
        return ()
    breaches = list(_breaches(accepted, new))
    if breaches and not targets_keys_replaced:
        first = breaches[0]
        raise type(first)(f"{first}; {_REMEDY}")
    return tuple(str(breach) for breach in breaches)


def _breaches(accepted: Release, new: Release) -> Iterator[Error]:
    if new.released < accepted.released:
        yield RollbackError(
            f"release {new.number} was made on {new.released:%Y-%m-%d %H:%M} UTC, before release {accepted.number} of "
            f"{accepted.released:%Y-%m-%d %H:%M} UTC, which this instance has accepted"
        )
    still = {withdrawal.model for withdrawal in new.withdrawn}
    for withdrawal in accepted.withdrawn:
        if withdrawal.model not in still:
            yield RollbackError(
                f"release {new.number} does not say that {withdrawal.model} is withdrawn, and release "
                f"{accepted.number}, which this instance has accepted, does"
            )
    if new.number < accepted.number and new.released == accepted.released:
        # Where the targets floor is void, the time tells two releases apart, but not within one second.
        gone = sorted(accepted.models.keys() - new.models.keys() - still)
        if gone:
            yield RollbackError(
                f"release {new.number} does not list {gone[0]}, and release {accepted.number} of the same second, "
                "which this instance has accepted, does"
            )
    for model, blob in accepted.models.items():
        again = new.models.get(model)
        if again is not None and again != blob:
            yield MixError(
                f"release {new.number} lists {model} as {again.digest}, and release {accepted.number}, which this "
                f"instance has accepted, as {blob.digest}: a released version never changes"
            )
    if new.reviewers is not None:
        listed = [Subject(model, blob.digest) for model, blob in new.models.items()]
        before = [*accepted.reviews, *accepted.objections]
        for subject, statement in dropped(before, new.reviews, new.reviewers, listed):
            yield RollbackError(
                f"release {new.number} leaves out that {subject.model} was {statement.decision} for {statement.role}, "
                "as a release said that this instance has accepted"
            )
