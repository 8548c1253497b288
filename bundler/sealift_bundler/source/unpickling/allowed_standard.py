"""What a pickle may ask for of the standard library: values, and how older protocols write them."""

import _codecs
import collections
import copyreg
import datetime as dt
import decimal
import functools
import pathlib
import re

import numpy as np

from sealift_bundler.source.unpickling import reconstructors as called
from sealift_bundler.source.unpickling.allowed import Allowed, reconstructor
from sealift_bundler.source.unpickling.reconstructors import any_of, each, up_to
from sealift_bundler.source.unpickling.states import Distribution

_TIMES = (bytes, str, int, dt.tzinfo, type(None))
_DEFAULTS = (None, int, float, str, list, dict, set, collections.OrderedDict)
STANDARD: dict[str, Allowed] = {
    **{f"builtins.{cls.__name__}": Allowed(cls) for cls in (bool, int, float, str, list, tuple, dict)},
    "builtins.object": Allowed(object, filled=True, accepts=called.NOTHING),
    "builtins.complex": Allowed(complex, accepts=up_to(2, int, float)),
    "builtins.set": Allowed(set, accepts=up_to(1, list, tuple)),
    "builtins.frozenset": Allowed(frozenset, accepts=up_to(1, list, tuple)),
    "builtins.slice": Allowed(slice, accepts=up_to(3, int, str, type(None), np.generic)),
    "builtins.range": Allowed(range, accepts=up_to(3, int)),
    "builtins.bytearray": Allowed(
        bytearray, accepts=any_of(called.NOTHING, each((bytes, bytearray)), called.text_and_latin1)
    ),
    "builtins.bytes": Allowed(bytes, accepts=called.NOTHING),
    # A method of a distribution, for which nothing stands as well.
    "builtins.getattr": reconstructor("builtins.getattr", lambda *_: Distribution(), each(Distribution, str)),
    "_codecs.encode": reconstructor("_codecs.encode", _codecs.encode, called.text_and_latin1),
    "collections.OrderedDict": Allowed(collections.OrderedDict, accepts=up_to(1, list, tuple)),
    # What is missing is made by calling the argument: one of these classes, and nothing else.
    "collections.defaultdict": Allowed(
        collections.defaultdict,
        accepts=lambda given: len(given) < 2 and all(any(made is cls for cls in _DEFAULTS) for made in given),
    ),
    "collections.Counter": Allowed(collections.Counter, accepts=up_to(1, dict)),
    "collections.deque": Allowed(collections.deque, accepts=up_to(2, list, tuple, int, type(None))),
    **{
        f"datetime.{cls.__name__}": Allowed(cls, accepts=up_to(3, *_TIMES, dt.timedelta))
        for cls in (dt.date, dt.time, dt.datetime, dt.timedelta, dt.timezone)
    },
    "decimal.Decimal": Allowed(decimal.Decimal, accepts=each(str)),
    **{
        f"pathlib.{cls.__name__}": Allowed(cls, accepts=lambda given: all(isinstance(part, str) for part in given))
        for cls in (pathlib.PurePosixPath, pathlib.PosixPath)
    },
    # `re.DEBUG` prints the expression.
    "re._compile": reconstructor(
        "re._compile", re.compile, lambda given: each(str, int)(given) and not given[1] & re.DEBUG
    ),
    # The unpickler looks, here and at the state: only functions that the file may name are in it.
    "functools.partial": Allowed(functools.partial, accepts=each(object)),
}
# How the standard library writes an object that is filled; the unpickler does it itself, as for NEWOBJ.
FILLERS = {
    "copyreg._reconstructor": copyreg._reconstructor,  # type: ignore[attr-defined]  # noqa: SLF001
    "copyreg.__newobj__": copyreg.__newobj__,  # type: ignore[attr-defined]
    "copyreg.__newobj_ex__": copyreg.__newobj_ex__,  # type: ignore[attr-defined]
}
