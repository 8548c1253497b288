"""Leaves and roots: the vectors of RFC 6962's own tree, and what a leaf depends on."""

import hashlib

import pytest

from sealift_pipeline.table.leaves import leaf, root, row_document

ROW = row_document("issue", 3, "k", 5, ["u_1"], {"title": "a", "weight": None, "labels": []})


def tree(leaves):
    """The definition of RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + tree(leaves[:half]) + tree(leaves[half:])).digest()


# Of the inputs that the test trees of Certificate Transparency have.
_INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_the_root_is_that_of_certificate_transparency(size, wanted):
    leaves = [hashlib.sha256(b"\0" + bytes.fromhex(text)).digest() for text in _INPUTS[:size]]
    assert root(leaves).hex() == wanted


@pytest.mark.parametrize("size", [*range(1, 40), 255, 256, 257])
def test_the_root_is_the_one_that_the_definition_gives(size):
    leaves = [hashlib.sha256(bytes([place % 256, place // 256])).digest() for place in range(size)]
    assert root(iter(leaves)) == tree(leaves)


def test_a_leaf_is_what_the_page_says():
    written = b'{"columns":{"labels":[],"title":"a"},"key":"k","kind":"issue","received":5,"seq":3,"subjects":["u_1"]}'
    assert leaf(b"s" * 16, ROW) == hashlib.sha256(b"\0" + b"s" * 16 + written).digest()


def test_a_new_column_changes_no_old_leaf_and_every_value_does():
    columns = {"title": "a", "labels": [], "new": None}
    assert leaf(b"s", row_document("issue", 3, "k", 5, ["u_1"], columns)) == leaf(b"s", ROW)
    changed = [
        ("note", 3, "k", 5, ["u_1"], columns),
        ("issue", 4, "k", 5, ["u_1"], columns),
        ("issue", 3, "l", 5, ["u_1"], columns),
        ("issue", 3, "k", 6, ["u_1"], columns),
        ("issue", 3, "k", 5, [], columns),
        ("issue", 3, "k", 5, ["u_1"], {**columns, "title": "b"}),
        ("issue", 3, "k", 5, ["u_1"], {**columns, "labels": ["x"]}),
    ]
    assert len({leaf(b"s", row_document(*one)) for one in changed} | {leaf(b"s", ROW), leaf(b"t", ROW)}) == 9
