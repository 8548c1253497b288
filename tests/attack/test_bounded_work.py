"""Work grows with the size of a document, whatever shape it has: no check compares each entry with all others.

Such a check stands in one call of C that takes ever longer, so no count of calls shows it: processor time does, and
16 times the entries may cost 96 times as much before this says no. A check that is quadratic costs 256 times as much.
"""

import time
from contextlib import suppress

import pytest
from support.hostile import worst_documents

from sealift.errors import Error

_TIMES = 16
_MOST = 96
_COUNT = 1_000
# A clock may be no finer, and some shapes take less.
_LEAST_S = 0.001


def cost(shape, data):
    started = time.process_time()
    with suppress(Error):
        shape.read(data)
    return time.process_time() - started


@pytest.mark.parametrize("name", worst_documents.SHAPES)
def test_work_grows_with_size(name):
    shape = worst_documents.SHAPES[name]
    count = min(_COUNT, shape.most // _TIMES)
    small, large = shape.make(count), shape.make(count * _TIMES)
    assert len(large) >= len(small)
    least = max(_LEAST_S, min(cost(shape, small) for _ in range(3)))
    assert min(cost(shape, large) for _ in range(3)) < _MOST * least
