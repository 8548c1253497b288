"""Every parser that reads bytes from outside: hostile bytes may yield a `sealift.Error`, and nothing else.

Each target takes bytes. `tests/fuzz` feeds them Hypothesis's inventions and the kept corpus; `make fuzz` lets atheris
search by coverage, for as long for each, so what is small shares a target.
"""

import contextlib

from support.hostile.fuzzing import bundles, models, pipeline, registries, reviews, serving, trust

from sealift.errors import Error

_MODULES = (bundles, trust, models, registries, reviews, serving, pipeline)
_FOUND = {name: pair for module in _MODULES for name, pair in module.TARGETS.items()}
TARGETS = {name: target for name, (target, _) in _FOUND.items()}


def run(name: str, data: bytes) -> None:
    """Run one target; anything but a refusal escapes."""
    with contextlib.suppress(Error):
        TARGETS[name](data)


def seeds(name: str) -> list[bytes]:
    """Return good inputs for a target, from which a fuzzer departs."""
    return _FOUND[name][1]()
