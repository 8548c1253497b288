"""Work grows with the size of a document, whatever shape it has: no check compares each entry with all others.

Such a check stands in one call of C that takes ever longer, so no count of calls shows it: processor time does, and
16 times the entries may cost 96 times as much before this says no. A check that is quadratic costs 256 times as much.
Where a busy machine gave one measurement more than its share, another one decides: work that is quadratic is so each time.
"""

import gc
import time
from contextlib import suppress

import pytest
from support.hostile import worst_documents

from sealift.errors import Error

pytestmark = pytest.mark.slow

_TIMES = 16
_MOST = 96
_COUNT = 1_000
_TRIES = 5
# A clock may be no finer, and some shapes take less.
_LEAST_S = 0.001


def cost(shape, data):
    # The collector walks through all that this process holds, and other tests left much.
    gc.disable()
    try:
        started = time.process_time()
        with suppress(Error):
            shape.read(data)
        return time.process_time() - started
    finally:
        gc.enable()


def grows_too_fast(shape, small, large):
    least = max(_LEAST_S, min(cost(shape, small) for _ in range(3)))
    return all(cost(shape, large) > _MOST * least for _ in range(3))


@pytest.mark.parametrize("name", worst_documents.SHAPES)
def test_work_grows_with_size(name):
    shape = worst_documents.SHAPES[name]
    count = min(_COUNT, shape.most // _TIMES)
    small, large = shape.make(count), shape.make(count * _TIMES)
    assert len(large) >= len(small)
    assert not all(grows_too_fast(shape, small, large) for _ in range(_TRIES))
