"""Open a pickle without giving it a free hand: only listed globals, and only what their libraries do with them.

The one unpickler for every file: plain pickles of protocols 0 to 5, what joblib writes, and pickles inside of both. It
is Python's own unpickler written in Python, with these opcodes replaced:

- `GLOBAL`, `STACK_GLOBAL`: the name must be on the list (`sealift_bundler.source.unpickling.allowed_globals`).
- `REDUCE`: calls what the list says can be called, with arguments that its check accepts.
- `NEWOBJ`, `NEWOBJ_EX`, and their forms in older protocols: makes objects of classes that the list says are filled.
- `BUILD`: gives such an object its state, by the class's own `__setstate__`; no state hides a method of the class.
- `INST`, `OBJ`, `EXT1`, `EXT2`, `EXT4`, `PERSID`, `BINPERSID`: refused; no library writes them.

A refusal comes before anything is called. What remains possible is in `docs/explanation/threat-model.md`.
"""

import io
import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Collection
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np

from sealift_bundler.errors import UntrustedPickleError
from sealift_bundler.source.trusted_globals import is_standard
from sealift_bundler.source.unpickling import dtypes, states
from sealift_bundler.source.unpickling.allowed_globals import find
from sealift_bundler.source.unpickling.allowed_standard import FILLERS
from sealift_bundler.source.unpickling.reconstructors import Reconstructor

if TYPE_CHECKING:
    from sealift_bundler.source.unpickling.allowed import Allowed

# A pickle may ask for a name of any length.
_SHOWN_CHARS = 200
_Python: Any = pickle._Unpickler  # noqa: SLF001 - C's own has no opcodes to replace


class _Given:
    """A file, of which nobody reads more than is there: a claim of more would cost its memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.readline = file.readline
        place = file.tell()
        self._size = file.seek(0, io.SEEK_END)
        file.seek(place)

    def read(self, size: int) -> bytes:
        if size > self._size - self._file.tell():
            raise EOFError(f"the file ends before the {size:,} bytes that it announces")
        return self._file.read(size)


class Unpickler(_Python):  # type: ignore[misc]
    """One pickle of a file; see the module.

    Args:
        file: the pickle, not compressed.
        where: the file's name, for messages.
        trusted: full names of the caller's own classes and functions.
    """

    dispatch: dict[int, Callable[[Any], None]] = copy(_Python.dispatch)

    def __init__(self, file: BinaryIO, where: str, trusted: Collection[str] = ()) -> None:
        super().__init__(_Given(file), fix_imports=True)
        self._file = file
        self._where = where
        self._trusted = trusted
        self._cache: dict[tuple[str, str], Any] = {}
        # By identity: two values may be equal, and classes may say what they like about equality.
        self._found: dict[int, Allowed] = {}
        self._made: dict[int, Any] = {}

    def load(self) -> Any:
        """Read the pickle and return its object.

        Raises:
            UntrustedPickleError: it asks for something that is not on the list, or uses it as no library does.
            Exception: whatever damaged pickles and the `__setstate__` of listed classes raise.
        """
        value = super().load()
        # At the end: a list inside a state can grow after the state was given.
        for made in self._made.values():
            if problem := states.looked_up(made):
                self._refuse(problem)
        return value

    def find_class(self, module: str, name: str) -> Any:
        """Return what a global stands for on the stack, or refuse it."""
        if self.proto < 3:
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        key = (module, name)
        if key not in self._cache:
            if ".".join(key) in FILLERS:
                function = FILLERS[".".join(key)]
                self._cache[key] = Reconstructor(".".join(key), function, lambda _given: True)
            else:
                allowed = find(module, name, self._trusted)
                if allowed is None:
                    self._refuse_global(module, name)
                self._found[id(allowed.value)] = allowed
                self._cache[key] = allowed.value
        return self._cache[key]

    def persistent_load(self, _pid: Any) -> NoReturn:
        """Refuse: what a persistent id means is known to the program that wrote it."""
        self._refuse("holds a persistent id")

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack[-1]
        if not isinstance(arguments, tuple):
            self._refuse("calls something without a tuple of arguments")
        if isinstance(function, Reconstructor) and function.name in FILLERS:
            self.stack[-1] = self._fill_by(function.name, arguments)
            return
        self.stack[-1] = self._call(function, arguments)

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        if isinstance(function, Reconstructor):
            if not function.accepts(arguments):
                self._refuse(f"calls {function.name!r} with these arguments")
            # A reconstructor among the arguments is a default that the function has anyway.
            return function.function(*(None if isinstance(value, Reconstructor) else value for value in arguments))
        allowed = self._found.get(id(function))
        accepted = allowed is not None and allowed.accepts is not None and allowed.accepts(arguments)
        if not accepted or (function is partial and not self._is_function(*arguments)):
            self._refuse(f"calls {_name(function)!r}")
        made = function(*arguments)
        return self._remember(made) if isinstance(function, type) else made

    def _fill_by(self, name: str, arguments: tuple[Any, ...]) -> Any:
        if name == "copyreg._reconstructor":
            # Protocols 0 and 1: the class, its built-in base, and the base's value.
            cls, base, value = arguments if len(arguments) == 3 else (None, None, None)
            if base is not object and not (base in (dict, list, tuple, set, int, float, str) and type(value) is base):
                self._refuse(f"calls {name!r} with these arguments")
            self._require_filled(cls)
            return self._remember(FILLERS[name](cls, base, value))
        if name == "copyreg.__newobj__":
            return self._fill(arguments[0] if arguments else None, arguments[1:], {})
        cls, positional, named = arguments if len(arguments) == 3 else (None, (), {})
        return self._fill(cls, positional, named)

    def _load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack.append(self._fill(self.stack.pop(), arguments, {}))

    def _load_newobj_ex(self) -> None:
        named, arguments = self.stack.pop(), self.stack.pop()
        self.stack.append(self._fill(self.stack.pop(), arguments, named))

    def _fill(self, cls: Any, arguments: Any, named: Any) -> Any:
        """Make an object of a class that is only filled, without calling the class."""
        self._require_filled(cls)
        if not isinstance(arguments, tuple) or not isinstance(named, dict):
            self._refuse(f"makes a {_name(cls)!r}")
        return self._remember(cls.__new__(cls, *arguments, **named))

    def _require_filled(self, cls: Any) -> None:
        allowed = self._found.get(id(cls))
        if allowed is None or not allowed.filled:
            self._refuse(f"makes a {_name(cls)!r}")

    def _remember(self, made: Any) -> Any:
        self._made[id(made)] = made
        return made

    def _is_function(self, value: Any = None) -> bool:
        return id(value) in self._found and not isinstance(value, type | Reconstructor)

    def _load_build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, np.dtype):
            try:
                finished = dtypes.with_state(made, state)
            except (TypeError, ValueError):
                finished = None
            if finished is None:
                self._refuse("holds a dtype that contradicts itself")
            self._replace(made, finished)
            return
        if isinstance(made, type) or not (id(made) in self._made or states.is_made_by_reconstructor(made)):
            self._refuse(f"changes the {_name(made)!r} of this process")
        if isinstance(made, partial) and not (isinstance(state, tuple) and self._is_function(*state[:1])):
            self._refuse("puts something into a functools.partial that is not a listed function")
        own = self._found.get(id(type(made)))
        if problem := states.problem_of(made, state, own=own is not None and own.own):
            self._refuse(problem)
        states.give(made, state)
        if type(made).__name__ == "NumpyArrayWrapper":
            array = states.read_array(made, self._file, self._nested)
            if array is None:
                self._refuse("holds an array that contradicts itself")
            self.stack[-1] = array

    def _nested(self) -> Any:
        """What joblib writes for an array of objects: one more pickle in the same file."""
        return type(self)(self._file, self._where, self._trusted).load()

    def _replace(self, old: Any, new: Any) -> None:
        """Put a finished dtype in the place of the bare one, also where the pickle remembers it."""
        self.stack[-1] = new
        for key, value in reversed(self.memo.items()):
            if value is old:
                self.memo[key] = new
                return

    def _load_bytearray8(self) -> None:
        # Python's own makes room for the length that the file claims.
        self.append(bytearray(self.read(int.from_bytes(self.read(8), "little"))))

    def _load_refused(self, opcode: str) -> NoReturn:
        self._refuse(f"holds the opcode {opcode}")

    def _refuse(self, what: str) -> NoReturn:
        raise UntrustedPickleError(
            f"{self._where} {what}, which no library writes: ask who made the file, or get the model as skops or in "
            "its library's own format"
        )

    def _refuse_global(self, module: str, name: str) -> NoReturn:
        full = f"{module}.{name}"
        full = full if len(full) <= _SHOWN_CHARS else f"{full[:_SHOWN_CHARS]}…"
        if module == "__main__" or module.startswith(("cloudpickle", "dill")):
            raise UntrustedPickleError(
                f"{self._where} asks for {full!r}: it carries code of a notebook or script; move that class or "
                "function into a module, save the model again, and name it in trust_globals (--trust-global)"
            )
        if is_standard(module):
            raise UntrustedPickleError(
                f"{self._where} asks for {full!r}, which no model needs and a pickle could run; ask who made the file, "
                "or get the model as skops or in its library's own format"
            )
        raise UntrustedPickleError(
            f"{self._where} asks for {full!r}, which is not on the list of what a pickle may use; if it is a class or "
            f"function of your own, name it: trust_globals = [{full!r}] (--trust-global {full}); "
            "otherwise save the model with skops or in its library's own format"
        )

    dispatch[pickle.REDUCE[0]] = _load_reduce
    dispatch[pickle.NEWOBJ[0]] = _load_newobj
    dispatch[pickle.NEWOBJ_EX[0]] = _load_newobj_ex
    dispatch[pickle.BUILD[0]] = _load_build
    dispatch[pickle.BYTEARRAY8[0]] = _load_bytearray8
    for _opcode in ("INST", "OBJ", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"):
        dispatch[getattr(pickle, _opcode)[0]] = partial(_load_refused, opcode=_opcode)
    del _opcode


def _name(value: Any) -> str:
    if isinstance(value, Reconstructor):
        return value.name
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__name__)}"
    return f"{type(value).__module__}.{type(value).__qualname__}"
