"""Functions and classes that a pickle may call, each with the arguments that its library writes and no others.

What a call makes is a value: an array, a set, a date. A name that a pickle may only call is kept behind
`Reconstructor`, so that no estimator can be given it as a function to use later.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arguments = tuple[Any, ...]
Accepts = Callable[[Arguments], bool]

_DTYPE_CODE = re.compile(r"[|<>=]?[?A-Za-z][0-9]{0,9}", re.ASCII)
_ARRAYS = (np.ndarray,)


@dataclass(frozen=True)
class Reconstructor:
    """What stands on the pickle's stack for a name that it may only call.

    Attributes:
        name: for messages.
        function: does the work; it is called with arguments that `accepts` took.
        accepts: whether a library writes such arguments.
    """

    name: str
    function: Callable[..., Any]
    accepts: Accepts


def each(*kinds: type | tuple[type, ...]) -> Accepts:
    """Accept exactly these types of arguments, in order."""
    return lambda given: len(given) == len(kinds) and all(map(isinstance, given, kinds))


def any_of(*accepts: Accepts) -> Accepts:
    """Accept what one of these accepts."""
    return lambda given: any(one(given) for one in accepts)


def up_to(most: int, *kinds: type) -> Accepts:
    """Accept at most this many arguments of these types."""
    return lambda given: len(given) <= most and all(isinstance(value, kinds) for value in given)


_encoded = each(str, str)
NOTHING = each()


def text_and_latin1(given: Arguments) -> bool:
    """Accept how protocols 0 to 2 write bytes."""
    return _encoded(given) and given[1] in ("latin1", "latin-1")


def is_array_class(value: Any) -> bool:
    """Return whether a value is the class of an array."""
    return isinstance(value, type) and issubclass(value, _ARRAYS)


def empty_array(given: Arguments) -> bool:
    """Accept NumPy's start of every array: of a class of arrays, no elements, of bytes."""
    return len(given) == 3 and is_array_class(given[0]) and given[1] in ((0,), ()) and given[2] in (b"b", "b")


def empty_masked_array(given: Arguments) -> bool:
    """Accept NumPy's start of every masked array."""
    return (
        len(given) == 4
        and is_array_class(given[0])
        and issubclass(given[0], np.ma.MaskedArray)
        and empty_array((given[1], given[2], "b"))
        and given[3] in (b"b", "b")
    )


def dtype_code(given: Arguments) -> bool:
    """Accept the code of a dtype, and what NumPy writes behind it."""
    return (
        bool(given)
        and isinstance(given[0], str)
        and bool(_DTYPE_CODE.fullmatch(given[0]))
        and each(*[bool] * (len(given) - 1))(given[1:])
    )


def new_dtype(code: str, align: bool = False, copy: bool = True) -> "np.dtype[Any]":
    """Make a dtype of its own: the state that follows must not change one that others use."""
    del copy
    return np.dtype(code, align, True)


def bit_generator(given: Arguments) -> bool:
    """Accept a bit generator, its class, or its name."""
    generator = np.random.BitGenerator
    if len(given) != 1:
        return False
    return isinstance(given[0], str | generator) or (isinstance(given[0], type) and issubclass(given[0], generator))


def generator_of(constructor: Callable[..., Any]) -> Callable[..., Any]:
    """Make a generator of a bit generator; what older releases of NumPy wrote behind it is its own function."""
    return lambda name, _own=None: constructor(name)


def generator(given: Arguments) -> bool:
    """Accept a bit generator or its name, and behind it NumPy's own constructor."""
    return bit_generator(given[:1]) and (
        len(given) == 1
        or (len(given) == 2 and isinstance(given[1], Reconstructor) and given[1].name.endswith(".__bit_generator_ctor"))
    )


def of_class(cls: type) -> Accepts:
    """Accept what Cython writes for an object of `cls`: its class, a checksum and its state."""
    return lambda given: (
        len(given) == 3 and isinstance(given[0], type) and issubclass(given[0], cls) and isinstance(given[1], int)
    )


def one_class_of(module: str) -> Accepts:
    """Accept one class that is defined in this module."""
    return lambda given: len(given) == 1 and isinstance(given[0], type) and given[0].__module__ == module


def arrow_array(data: Any) -> Any:
    """Make an array of Arrow from its buffers, and look at every value: its pointers come from the file.

    Raises:
        pyarrow.ArrowInvalid: offsets or lengths point out of the buffers.
    """
    from pyarrow import lib

    made = lib._restore_array(data)  # noqa: SLF001 - what its pickles call
    made.validate(full=True)
    return made


def numbers(given: Arguments) -> bool:
    """Accept numbers and arrays of numbers: parameters of losses and trees."""
    return all(
        isinstance(value, bool | int | float | np.generic | type(None))
        or (isinstance(value, np.ndarray) and not value.dtype.hasobject)
        for value in given
    )


def are_lengths(values: Any) -> bool:
    """Return whether a value is a tuple of whole numbers from 0 on."""
    return isinstance(values, tuple) and all(type(value) is int and value >= 0 for value in values)
