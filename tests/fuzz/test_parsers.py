"""Hypothesis and the kept corpus against every parser; `make fuzz` searches further."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile.fuzzing import targets

CORPUS = Path(__file__).with_name("corpus")
FAST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_arbitrary_bytes(name):
    FAST(given(st.binary(max_size=600))(lambda data: targets.run(name, data)))()


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_damaged_good_input(name):
    """Flip, drop, double and splice bytes of a good input."""
    rng = random.Random(name)
    for seed in targets.seeds(name):
        targets.run(name, seed)
        for _ in range(40):
            data = bytearray(seed)
            for _ in range(rng.choice([1, 1, 2, 8])):
                place = rng.randrange(len(data) or 1)
                length = rng.choice([1, 1, 4, 40])
                chunk = data[place : place + length]
                data[place : place + length] = rng.choice(
                    [
                        b"",
                        bytes(len(chunk)),
                        chunk * 2,
                        rng.randbytes(length),
                        b"\xff" * length,
                        bytes(reversed(chunk)),
                        b"null",
                        b"-1",
                        b"1e999",
                        b"[]",
                        b"{}",
                        b'""',
                        b"99999999999999999999",
                    ]
                )
            targets.run(name, bytes(data))


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name[:12]}")
def test_corpus(file):
    targets.run(file.parent.name, file.read_bytes())
