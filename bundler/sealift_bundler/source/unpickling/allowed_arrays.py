"""What a pickle may ask for of NumPy, SciPy and joblib: arrays, dtypes, random states and functions of numbers."""

import re

import numpy as np

from sealift_bundler.source.unpickling import reconstructors as called
from sealift_bundler.source.unpickling.allowed import Allowed, attribute, class_of, reconstructor
from sealift_bundler.source.unpickling.reconstructors import Accepts, Reconstructor, each, up_to
from sealift_bundler.source.unpickling.states import Distribution

_FUNCTIONS = frozenset(
    {
        *("abs", "all", "amax", "amin", "any", "argmax", "argmin", "around", "asarray", "average", "clip"),
        *("concatenate", "copy", "cumsum", "diff", "fix", "max", "mean", "median", "min", "nan_to_num", "nanmax"),
        *("nanmean", "nanmedian", "nanmin", "nanstd", "nansum", "nanvar", "percentile", "prod", "ptp", "quantile"),
        *("ravel", "reshape", "round", "sort", "squeeze", "std", "sum", "transpose", "var", "where"),
    }
)
_CLASSES = frozenset({"ndarray", "matrix", "recarray"})
_MULTIARRAY, _INTERNAL = "numpy._core.multiarray", "numpy._core._internal"
_RANDOM, _BIT_GENERATOR = "numpy.random._pickle", "numpy.random.bit_generator"
_CALLED: dict[tuple[str, str], Accepts] = {
    (_MULTIARRAY, "_reconstruct"): called.empty_array,
    (_MULTIARRAY, "scalar"): each(np.dtype, object),
    ("numpy._core.numeric", "_frombuffer"): each((bytes, bytearray), np.dtype, tuple, str),
    (_INTERNAL, "_convert_to_stringdtype_kwargs"): up_to(2, int, float, str, type(None)),
    ("numpy.ma.core", "_mareconstruct"): called.empty_masked_array,
    (_RANDOM, "__bit_generator_ctor"): called.bit_generator,
    (_RANDOM, "__generator_ctor"): called.generator,
    (_RANDOM, "__randomstate_ctor"): called.generator,
    (_BIT_GENERATOR, "__pyx_unpickle_SeedSequence"): called.of_class(np.random.SeedSequence),
}
_SPARSE = re.compile(r"scipy\.sparse\._?(bsr|coo|csc|csr|dia|dok|lil)")
# What a search for parameters drew from. SciPy's own classes run a text of their state.
_DISTRIBUTION = re.compile(
    r"scipy\.stats\._(distn_infrastructure|continuous_distns|discrete_distns)\.\w+(_frozen|_gen)"
)
# What a BSpline keeps of SciPy's array namespace.
_NAMESPACE = re.compile(r"scipy\.(_lib|_external)\.array_api_compat\.numpy\._aliases")


def of_numpy(module: str, name: str) -> Allowed | None:
    """Allow what makes arrays and scalars, the classes of scalars, ufuncs, and the functions listed."""
    # NumPy 2 renamed `core`; each of the two reads the files of the other.
    known = module.replace("numpy.core.", "numpy._core.")
    if (known, name) in _CALLED:
        function = attribute(known if known != module and hasattr(np, "_core") else module, name)
        if name in ("__generator_ctor", "__randomstate_ctor"):
            function = called.generator_of(function)
        return reconstructor(f"{module}.{name}", function, _CALLED[known, name])
    if known in ("numpy", "numpy._core._multiarray_umath"):
        return _of_namespace(name)
    if name == "MaskedArray" and known in ("numpy.ma", "numpy.ma.core"):
        return Allowed(np.ma.MaskedArray)
    if (known, name) == ("numpy.matrixlib.defmatrix", "matrix"):
        return Allowed(np.matrix)
    if (known, name) == (_BIT_GENERATOR, "SeedSequence"):
        return Allowed(np.random.SeedSequence)
    if re.fullmatch(r"numpy\.random\._(mt19937|pcg64|philox|sfc64)", known):
        cls = class_of(module, name)
        return Allowed(cls) if cls is not None and issubclass(cls, np.random.BitGenerator) else None
    return None


def _of_namespace(name: str) -> Allowed | None:
    if name == "dtype":
        return Allowed(Reconstructor("numpy.dtype", called.new_dtype, called.dtype_code))
    if name == "vectorize":
        # What SciPy's discrete distributions hold.
        return Allowed(Distribution, filled=True)
    if name == "memmap":
        # An array that was saved from a file comes back as an array: the class itself opens files.
        return Allowed(np.ndarray)
    # Not by attribute: NumPy imports modules for that.
    value = vars(np).get(name)
    is_scalar = isinstance(value, type) and issubclass(value, np.generic)
    return Allowed(value) if is_scalar or isinstance(value, np.ufunc) or name in _FUNCTIONS | _CLASSES else None


def of_scipy(module: str, name: str) -> Allowed | None:
    """Allow sparse matrices, splines and ufuncs, and take distributions without their code."""
    if _DISTRIBUTION.fullmatch(f"{module}.{name}"):
        return Allowed(Distribution, filled=True)
    if name == "asarray" and _NAMESPACE.fullmatch(module):
        return Allowed(attribute(module, name))
    if re.fullmatch(r"scipy\.special(\._\w*ufuncs)?", module):
        value = getattr(attribute("scipy", "special"), name)
        return Allowed(value) if isinstance(value, np.ufunc) else None
    if _SPARSE.fullmatch(module):
        from scipy import sparse

        cls = attribute(module, name)
        kinds = (sparse.sparray, sparse.spmatrix)
        return Allowed(cls, filled=True) if isinstance(cls, type) and issubclass(cls, kinds) else None
    if (module, name) == ("scipy.interpolate._bsplines", "BSpline"):
        return Allowed(class_of(module, name), filled=True)
    return None


def of_joblib(module: str, name: str) -> Allowed | None:
    """Allow what stands before an array in joblib's files; none of joblib's code reads it."""
    if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
        return Allowed(class_of(module, name), filled=True)
    return None
