"""Pickles by hand: each asks for something that no model needs, and leaves a mark where it gets it.

`MARKING` maps what an attacker tries to the bytes of a file that, opened with joblib, makes a file at the path of the mark.
`OTHERS` are kinds of which a test sees nothing: they corrupt the process, wait for a person, need a library that is not
here, or do what no test may let happen.
"""

import bz2
import io
import lzma
import marshal
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np

Code = bytes
STOP = b"."
PROTO = b"\x80\x04"


def text(value: str) -> Code:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def of(value: Any) -> Code:
    """What pushes a plain value."""
    return pickle.dumps(value, 3)[2:-1]


def name(module: str, attribute: str) -> Code:
    return text(module) + text(attribute) + b"\x93"


def values(*codes: Code) -> Code:
    return b"(" + b"".join(codes) + b"t"


def call(module: str, attribute: str, *arguments: Code) -> Code:
    return name(module, attribute) + values(*arguments) + b"R"


def new(module: str, attribute: str, *arguments: Code) -> Code:
    return name(module, attribute) + values(*arguments) + b"\x81"


def built(made: Code, state: Code) -> Code:
    return made + state + b"b"


def mapping(**items: Code) -> Code:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def listed(*items: Code) -> Code:
    return b"](" + b"".join(items) + b"e"


def file_of(code: Code) -> bytes:
    return PROTO + code + STOP


def touch(mark: Path) -> str:
    return f"touch {mark}"


def statement(mark: Path) -> str:
    return f"open({str(mark)!r}, 'w').close()"


def expression(mark: Path) -> str:
    return f"open({str(mark)!r}, 'w')"


def system(mark: Path) -> Code:
    return call("os", "system", of(touch(mark)))


def inner(mark: Path) -> bytes:
    return file_of(system(mark))


def _nested_file(mark: Path) -> str:
    path = mark.with_name("nested.pkl")
    path.write_bytes(inner(mark))
    return str(path)


def _script(mark: Path) -> str:
    path = mark.with_name("script.py")
    path.write_text(statement(mark))
    return str(path)


def _function(mark: Path) -> Code:
    code = marshal.dumps(compile(statement(mark), "x", "exec"))
    return call("types", "FunctionType", call("marshal", "loads", of(code)), b"}") + b")R"


def _array_with(mark: Path) -> bytes:
    """A joblib file with an array of objects, of which one is hostile."""
    buffer = io.BytesIO()
    joblib.dump(np.array([Hostile(mark), 1], dtype=object), buffer)
    return buffer.getvalue()


class Hostile:
    """Unpickling this touches the mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return (os.system, (touch(self.mark),))


def _archive(mark: Path, member: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, inner(mark))
    return buffer.getvalue()


def _template(mark: Path) -> str:
    """What SciPy's `rv_continuous.__setstate__` hands to `exec`: it defines three functions afterwards."""
    return f"{statement(mark)}\n_parse_args = _parse_args_rvs = _parse_args_stats = None\n"


def estimator(
    state: Code, attribute: str = "LogisticRegression", module: str = "sklearn.linear_model._logistic"
) -> Code:
    return built(new(module, attribute), state)


def stacking(methods: Code) -> Code:
    state = mapping(estimators_=listed(_zeros()), stack_method_=methods)
    return estimator(state, "StackingClassifier", "sklearn.ensemble._stacking")


def _zeros() -> Code:
    return call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), of((0,)), of("b"))


def dtype(code: str, state: tuple[Any, ...] | None = None) -> Code:
    made = call("numpy", "dtype", of(code), of(False), of(True))
    return made if state is None else built(made, of(state))


def _pointers() -> Code:
    """An array of objects whose pointers are numbers of the file."""
    lying = dtype("O8", (3, "|", None, None, None, -1, -1, 0))
    return built(_zeros(), values(of(1), of((1,)), lying, of(False), of(b"\x41" * 8)))


def _pointers_in_a_field() -> Code:
    fields = mapping(a=values(dtype("O8"), of(0)))
    lying = built(dtype("V8"), values(of(3), of("|"), of(None), of(("a",)), fields, of(8), of(1), of(0)))
    return built(_zeros(), values(of(1), of((1,)), lying, of(False), of(b"\x41" * 8)))


def _field_beyond() -> Code:
    fields = mapping(a=values(dtype("f8"), of(1 << 20)))
    return built(dtype("V8"), values(of(3), of("|"), of(None), of(("a",)), fields, of(8), of(1), of(16)))


def _by_cloudpickle(mark: Path) -> bytes:
    import cloudpickle

    place = str(mark)

    def opens() -> None:
        with open(place, "w"):
            pass

    class Calls:
        def __reduce__(self) -> tuple[Any, ...]:
            return (opens, ())

    data: bytes = cloudpickle.dumps(Calls())
    return data


def _grows_later() -> Code:
    """A list of methods that is empty when the estimator gets it."""
    state = mapping(estimators_=listed(_zeros()), stack_method_=b"]q\x63")
    return values(estimator(state, "StackingClassifier", "sklearn.ensemble._stacking"), b"h\x63" + of("tofile") + b"a")


MARKING: dict[str, Callable[[Path], bytes]] = {
    "os.system": inner,
    "posix.system": lambda mark: file_of(call("posix", "system", of(touch(mark)))),
    "os.popen": lambda mark: file_of(call("os", "popen", of(touch(mark)))),
    "os.system in protocol 0": lambda mark: f"cos\nsystem\n(S'{touch(mark)}'\ntR.".encode(),
    "subprocess.Popen": lambda mark: file_of(call("subprocess", "Popen", of(["touch", str(mark)]))),
    "subprocess.check_output": lambda mark: file_of(call("subprocess", "check_output", of(["touch", str(mark)]))),
    "builtins.eval": lambda mark: file_of(call("builtins", "eval", of(expression(mark)))),
    "builtins.exec": lambda mark: file_of(call("builtins", "exec", of(statement(mark)))),
    "eval of Python 2": lambda mark: b"c__builtin__\neval\n(" + text(expression(mark)) + b"tR.",
    "builtins.open": lambda mark: file_of(call("builtins", "open", of(str(mark)), of("w"))),
    "builtins.__import__": lambda mark: file_of(
        call("builtins", "getattr", call("builtins", "__import__", of("os")), of("system"))
        + values(of(touch(mark)))
        + b"R"
    ),
    "a chain of getattr": lambda mark: file_of(
        call("builtins", "getattr", call("builtins", "getattr", name("os", "path"), of("os")), of("system"))
        + values(of(touch(mark)))
        + b"R"
    ),
    "builtins.map": lambda mark: file_of(
        call("builtins", "list", call("builtins", "map", name("os", "system"), of([touch(mark)])))
    ),
    "builtins.type with three arguments": lambda mark: file_of(
        built(
            call("builtins", "type", of("T"), of(()), mapping(__setstate__=name("os", "system"))) + b")R",
            of(touch(mark)),
        )
    ),
    "a walk of attributes": lambda mark: file_of(
        call("sklearn.ensemble._forest", "threading._os.system", of(touch(mark)))
    ),
    "an imported module of scikit-learn": lambda mark: file_of(
        call("sklearn.datasets._base", "os.system", of(touch(mark)))
    ),
    "a function that a module imported": lambda mark: file_of(
        call("joblib.numpy_pickle_compat", "os.system", of(touch(mark)))
    ),
    "numpy runstring": lambda mark: file_of(
        call("numpy.testing._private.utils", "runstring", of(statement(mark)), b"}")
    ),
    "numpy.savetxt": lambda mark: file_of(call("numpy", "savetxt", of(str(mark)), of([1.0]))),
    "numpy.load with a pickle": lambda mark: file_of(call("numpy", "load", of(_nested_file(mark)), of(None), of(True))),
    "numpy.memmap": lambda mark: file_of(new("numpy", "memmap", of(str(mark)), of("u1"), of("w+"), of(0), of((1,)))),
    "functools.partial": lambda mark: file_of(
        call("functools", "partial", name("os", "system"), of(touch(mark))) + b")R"
    ),
    "functools.reduce": lambda mark: file_of(
        call("functools", "reduce", name("os", "system"), listed(of(touch(mark))))
        + b"0"
        + call("functools", "reduce", name("builtins", "getattr"), listed(name("os", "system"), of("__call__")))
        + values(of(touch(mark)))
        + b"R"
    ),
    "operator.methodcaller": lambda mark: file_of(
        call("operator", "methodcaller", of("system"), of(touch(mark)))
        + values(call("importlib", "import_module", of("os")))
        + b"R"
    ),
    "operator.attrgetter": lambda mark: file_of(
        call("operator", "attrgetter", of("system"))
        + values(call("importlib", "import_module", of("os")))
        + b"R"
        + values(of(touch(mark)))
        + b"R"
    ),
    "types.FunctionType of marshal": lambda mark: file_of(_function(mark)),
    "importlib of a script": lambda mark: file_of(
        call("sys", "path.append", of(str(Path(_script(mark)).parent)))
        + b"0"
        + call("importlib", "import_module", of("script"))
    ),
    "runpy.run_path": lambda mark: file_of(call("runpy", "run_path", of(_script(mark)))),
    "timeit.timeit": lambda mark: file_of(
        call("timeit", "timeit", of(statement(mark)), of("pass"), name("time", "time"), of(1))
    ),
    "cProfile.run": lambda mark: file_of(call("cProfile", "run", of(statement(mark)), of("/dev/null"))),
    "code.InteractiveInterpreter": lambda mark: file_of(
        call("builtins", "getattr", call("code", "InteractiveInterpreter"), of("runsource"))
        + values(of(statement(mark)))
        + b"R"
    ),
    "multiprocessing spawn": lambda mark: file_of(
        call(
            "multiprocessing.util", "spawnv_passfds", of(b"/usr/bin/touch"), of([b"touch", str(mark).encode()]), of(())
        )
    ),
    "pty.spawn": lambda mark: file_of(call("pty", "spawn", of(["touch", str(mark)]))),
    "logging.FileHandler": lambda mark: file_of(call("logging", "FileHandler", of(str(mark)))),
    "a method of pathlib": lambda mark: file_of(
        call("pathlib", "Path.touch", call("pathlib", "PosixPath", of(str(mark))))
    ),
    "pickle.loads": lambda mark: file_of(call("pickle", "loads", of(inner(mark)))),
    "joblib.load": lambda mark: file_of(call("joblib.numpy_pickle", "load", of(_nested_file(mark)))),
    "pandas.read_pickle": lambda mark: file_of(call("pandas", "read_pickle", of(_nested_file(mark)))),
    "pandas DataFrame.to_csv": lambda mark: file_of(
        call("pandas.core.frame", "DataFrame.to_csv", call("pandas", "DataFrame"), of(str(mark)))
    ),
    "scipy.stats takes a state": lambda mark: file_of(
        built(new("scipy.stats._continuous_distns", "norm_gen"), mapping(_parse_arg_template=of(_template(mark))))
    ),
    "a hidden setstate": lambda mark: file_of(
        built(estimator(mapping(__setstate__=name("os", "system"))), of(touch(mark)))
    ),
    "an array of objects": _array_with,
    "zlib": lambda mark: zlib.compress(inner(mark)),
    "bz2": lambda mark: bz2.compress(inner(mark)),
    "xz": lambda mark: lzma.compress(inner(mark)),
    "lzma": lambda mark: lzma.compress(inner(mark), format=lzma.FORMAT_ALONE),
    "INST": lambda mark: b"(S'" + touch(mark).encode() + b"'\nios\nsystem\n.",
    "OBJ": lambda mark: b"\x80\x02(cos\nsystem\n" + text(touch(mark)) + b"o.",
    "subprocess.call": lambda mark: file_of(call("subprocess", "call", of(["touch", str(mark)]))),
    "cloudpickle": _by_cloudpickle,
    "after a whole model": lambda mark: file_of(values(of({"a": 1}), estimator(mapping(C=of(1.0))), system(mark))),
}

# Nothing that a test could see, or nothing that a test may let happen.
OTHERS: dict[str, Callable[[Path], bytes]] = {
    "shutil.rmtree": lambda mark: file_of(call("shutil", "rmtree", of(str(mark.parent)))),
    "socket.create_connection": lambda mark: file_of(call("socket", "create_connection", of(("127.0.0.1", 9)))),
    "webbrowser.open": lambda mark: file_of(call("webbrowser", "open", of("http://127.0.0.1:9"))),
    "pip": lambda mark: file_of(call("pip._internal.cli.main", "main", of(["install", "nothing-of-this-name"]))),
    "pdb.run": lambda mark: file_of(call("pdb", "run", of(statement(mark)))),
    "code.interact": lambda mark: file_of(call("code", "interact")),
    "ctypes.CDLL": lambda mark: file_of(call("ctypes", "CDLL", of("libc.so.6"))),
    "torch.load": lambda mark: file_of(call("torch.serialization", "load", of(_nested_file(mark)))),
    "pandas.eval": lambda mark: file_of(
        call("pandas.core.computation.eval", "eval", of("@__import__('os').system(" + repr(touch(mark)) + ")"))
    ),
    "DataFrame.query": lambda mark: file_of(
        call("pandas.core.frame", "DataFrame.query", call("pandas", "DataFrame"), of("@__import__('os')"))
    ),
    "numpy.f2py": lambda mark: file_of(call("numpy.f2py", "compile", of("x"))),
    "sklearn.utils._testing": lambda mark: file_of(call("sklearn.utils._testing", "TempMemmap", of(1))),
    "sklearn.datasets": lambda mark: file_of(call("sklearn.datasets._openml", "fetch_openml", of("x"))),
    "EXT1": lambda mark: PROTO + b"\x82\x01.",
    "EXT4": lambda mark: PROTO + b"\x84\x01\0\0\0.",
    "PERSID": lambda mark: b"Pcanary\n.",
    "BINPERSID": lambda mark: PROTO + of("canary") + b"Q.",
    "a class that is called": lambda mark: file_of(
        call("sklearn.feature_extraction.text", "CountVectorizer", of("filename"))
    ),
    "a class that is changed": lambda mark: file_of(
        built(
            name("sklearn.linear_model._logistic", "LogisticRegression"),
            values(b"N", mapping(predict=name("numpy", "mean"))),
        )
    ),
    "a function that is changed": lambda mark: file_of(built(name("numpy", "mean"), mapping(a=of(1)))),
    "a method that is hidden": lambda mark: file_of(estimator(mapping(predict=name("numpy", "mean")))),
    "a method by its name": lambda mark: file_of(stacking(listed(of("tofile")))),
    "a method by a name that comes later": lambda mark: file_of(_grows_later()),
    "an attribute by its path": lambda mark: file_of(
        estimator(
            mapping(importance_getter=of("__class__.__mro__")),
            "SelectFromModel",
            "sklearn.feature_selection._from_model",
        )
    ),
    "a partial of a class": lambda mark: file_of(call("functools", "partial", name("builtins", "dict"))),
    "a partial that is filled": lambda mark: file_of(
        built(call("functools", "partial", name("numpy", "mean")), values(name("builtins", "dict"), b")", b"N", b"N"))
    ),
    "a dict that calls": lambda mark: file_of(call("collections", "defaultdict", name("numpy", "mean"))),
    "a generator that calls": lambda mark: file_of(
        call("numpy.random._pickle", "__generator_ctor", of("x"), name("numpy", "mean"))
    ),
    "pointers in an array": lambda mark: file_of(_pointers()),
    "pointers in a field": lambda mark: file_of(_pointers_in_a_field()),
    "a field out of its dtype": lambda mark: file_of(_field_beyond()),
    "an attribute of anything": lambda mark: file_of(
        call("builtins", "getattr", name("numpy", "mean"), of("__globals__"))
    ),
    "a type as base": lambda mark: file_of(
        call("copyreg", "_reconstructor", name("sklearn.base", "BaseEstimator"), name("builtins", "range"), of(1))
    ),
    "bytes of any codec": lambda mark: file_of(call("_codecs", "encode", of("x"), of("rot13"))),
    "memory by a number": lambda mark: file_of(call("builtins", "bytearray", of(8 << 30))),
    "memory by a shape": lambda mark: file_of(
        call("numpy._core.multiarray", "_reconstruct", name("numpy", "ndarray"), of((1 << 33,)), of("b"))
    ),
}
