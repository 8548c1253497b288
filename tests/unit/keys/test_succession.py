"""Which floors a new root makes void: a table of what left, what stayed, and what came back."""

from datetime import UTC, datetime, timedelta

import pytest
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.metadata import Root

from sealift.errors import RollbackError
from sealift.trust.floor import Floor, check, voided
from sealift_common.metadata.succession import replaced

# A point on secp160k1, which OpenSSL knows and `cryptography` does not take.
UNKNOWN_CURVE = """-----BEGIN PUBLIC KEY-----
MD4wEAYHKoZIzj0CAQYFK4EEAAkDKgAExWDlKSOp0OeRHOJPzQ8+w+/WQBlui6mC
daNdr/Opo7H1fBi980xmpQ==
-----END PUBLIC KEY-----
"""
KEYS = {name: CryptoSigner.generate_ed25519().public_key for name in "abcdef"}


def root(version: int, *, timestamp: str = "a", snapshot: str = "a", targets: str = "e", threshold: int = 1) -> Root:
    made = Root(version=version, expires=datetime.now(UTC) + timedelta(days=1))
    for role, names in {"timestamp": timestamp, "snapshot": snapshot, "targets": targets}.items():
        for name in names:
            made.add_key(KEYS[name], role)
        made.roles[role].threshold = min(threshold, len(names))
    return made


@pytest.mark.parametrize(
    ("earlier", "new", "expected"),
    [
        ([{}], {}, set()),
        # One of two keys leaves: what the other signed still verifies, so no old release may return.
        ([{"timestamp": "ab"}], {"timestamp": "a"}, {"timestamp"}),
        ([{"snapshot": "ab"}], {"snapshot": "a"}, {"snapshot"}),
        ([{"snapshot": "ab"}], {"snapshot": "c"}, {"snapshot", "targets"}),
        ([{"targets": "ef"}], {"targets": "e"}, set()),
        ([{"targets": "ef"}], {"targets": "d"}, {"targets"}),
        # A key that joins changes nothing.
        ([{"timestamp": "a", "snapshot": "a"}], {"timestamp": "ab", "snapshot": "ab"}, set()),
        # A key that left and comes back makes its old signatures good again.
        ([{"snapshot": "a"}, {"snapshot": "b"}], {"snapshot": "a"}, {"snapshot"}),
        ([{"targets": "e"}, {"targets": "f"}], {"targets": "e"}, set()),
        # The threshold that counts is the new one.
        ([{"targets": "ef", "threshold": 2}], {"targets": "ed", "threshold": 2}, {"targets"}),
        ([{"targets": "ef", "threshold": 2}], {"targets": "ed"}, set()),
    ],
)
def test_which_floors_are_void(earlier, new, expected):
    chain = [root(number, **lists) for number, lists in enumerate(earlier, start=1)]
    assert voided(chain, root(len(chain) + 1, **new)) == expected


def test_a_key_under_another_id_is_the_same_key():
    old, new = root(1), root(2)
    key = KEYS["a"]
    alias = SSlibKey("0" * 64, key.keytype, key.scheme, key.keyval)
    for role in ("timestamp", "snapshot"):
        new.revoke_key(key.keyid, role)
        new.add_key(alias, role)
    assert voided([old], new) == set()
    assert not replaced("snapshot", [old], new)


@pytest.mark.parametrize("public", ["no key at all", UNKNOWN_CURVE])
def test_a_key_that_cannot_be_read_here_verifies_nothing_and_stops_nothing(public):
    old, new = root(1), root(2)
    new.add_key(SSlibKey("1" * 64, "ecdsa", "ecdsa-sha2-nistp256", {"public": public}), "targets")
    assert voided([old], new) == set()
    assert not replaced("targets", [old], new)


def test_only_a_role_below_its_floor_is_looked_at():
    floor = Floor(1, 5, 5, 5, datetime.now(UTC))
    old, new = root(1, timestamp="ab", snapshot="ab"), root(2)
    check(floor, {"timestamp": 1, "snapshot": 1, "targets": 5}, [old], new)
    with pytest.raises(RollbackError, match="targets is version 4"):
        check(floor, {"timestamp": 1, "snapshot": 1, "targets": 4}, [old], new)
