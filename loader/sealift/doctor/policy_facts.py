"""Read what `doctor.policy` judges, as any user. Changes nothing."""

from datetime import datetime

from sealift.doctor.policy import Active, PolicyFacts
from sealift.errors import Error, NotInstalledError, NoTrustError
from sealift.policy.mark import mark
from sealift.policy.own import strangers
from sealift.policy.verdict import unmet_for_loading
from sealift.store import Store


def read(store: Store, now: datetime) -> PolicyFacts:
    """Read the policy, and how the active versions stand by it and by what root requires."""
    try:
        policy = store.policy()
    except Error as error:
        return PolicyFacts(now, error=error)
    try:
        generation, release = moment = store.moment()
        floor = store.trust_state().read_floor()
    except (NoTrustError, NotInstalledError):
        return PolicyFacts(now, policy=policy)
    except (Error, OSError):
        # What is wrong with the store is said where the store is judged.
        return PolicyFacts(now, policy=policy)
    time = now if floor is None else max(now, floor.time)
    active = []
    for name, model in generation.models.items():
        if model not in release.models:
            continue
        try:
            manifest = store.find(name, moment=moment).manifest
        except (Error, OSError):
            continue
        said = unmet_for_loading(policy, release, manifest)
        active.append(Active(str(model), mark(policy, release, manifest, time), tuple(said)))
    unsigned = 0 if policy.own is None else strangers(policy.own, release.reviewers, release.channel)
    return PolicyFacts(time, policy=policy, release=release, active=tuple(active), unsigned=unsigned)
