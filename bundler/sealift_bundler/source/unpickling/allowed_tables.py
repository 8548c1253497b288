"""What a pickle may ask for of pandas and PyArrow: tables, columns, and the names that transformers keep of them."""

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sealift_bundler.source.unpickling import reconstructors as called
from sealift_bundler.source.unpickling.allowed import Allowed, attribute, reconstructor
from sealift_bundler.source.unpickling.reconstructors import Accepts, each, up_to

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULES = re.compile(r"pandas|pandas\.arrays|pandas\.core\.(frame|series|(indexes|arrays|dtypes|internals)(\.\w+)+)")


def of_pandas(module: str, name: str) -> Allowed | None:
    """Allow tables, columns, indexes, their dtypes and blocks, and `NA`."""
    import pandas as pd

    full = f"{module}.{name}"
    takes: dict[str, Callable[[], Accepts]] = {
        "pandas.core.indexes.base._new_Index": lambda: _of_index,
        "pandas._libs.internals._unpickle_block": lambda: each(object, object, int),
        "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": lambda: called.of_class(attribute(module, "NDArrayBacked")),
    }
    if full in takes:
        return reconstructor(full, attribute(module, name), takes[full]())
    if full in ("pandas.NA", "pandas._libs.missing.NA"):
        return Allowed(pd.NA)
    if name == "StringDtype" and _MODULES.fullmatch(module):
        return Allowed(pd.StringDtype, filled=True, accepts=up_to(2, str, float, type(pd.NA), type(None)))
    if full == "pandas.core.internals.managers.BlockManager":
        return Allowed(attribute(module, name), filled=True, accepts=each((tuple, list), list))
    if _MODULES.fullmatch(module):
        cls = attribute(module, name)
        return Allowed(cls, filled=True) if isinstance(cls, type) and issubclass(cls, _kinds()) else None
    return None


def _kinds() -> tuple[type, ...]:
    import pandas as pd

    managers = import_module("pandas.core.internals.managers")
    extensions = (pd.api.extensions.ExtensionDtype, pd.api.extensions.ExtensionArray)
    return (pd.DataFrame, pd.Series, pd.Index, managers.BlockManager, managers.SingleBlockManager, *extensions)


def _of_index(given: tuple[Any, ...]) -> bool:
    import pandas as pd

    return each(type, dict)(given) and issubclass(given[0], pd.Index)


def of_pyarrow(module: str, name: str) -> Allowed | None:
    """Allow what a column of texts is in pandas 3."""
    if module != "pyarrow.lib":
        return None
    takes: dict[str, Accepts] = {
        "_restore_array": each(tuple),
        "chunked_array": each(list, object),
        "py_buffer": each((bytes, bytearray)),
        "type_for_alias": each(str),
    }
    if name not in takes:
        return None
    function = called.arrow_array if name == "_restore_array" else attribute(module, name)
    return reconstructor(f"{module}.{name}", function, takes[name])
