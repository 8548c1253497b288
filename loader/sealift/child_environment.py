"""Environment of a child process that runs somebody else's code or data.

A list of what may pass, because nobody can list what must not: passphrases, tokens of CI, logins of clouds.
"""

import os
from collections.abc import Mapping

_NAMES = frozenset(
    {
        # Where programs, libraries and temporary files are. HOME: packages of `pip install --user`, and caches.
        *("PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX"),
        *("LANG", "LANGUAGE", "TZ"),
        # How this Python runs; PYTHONPATH has a function of its own.
        *("PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"),
        *("PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS", "PYTHONFAULTHANDLER"),
        # Memory, processors and cryptography as the admin set them; an empty CUDA_VISIBLE_DEVICES keeps a GPU out.
        *("MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LOKY_MAX_CPU_COUNT", "CUDA_VISIBLE_DEVICES"),
        *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_FORCE_FIPS_MODE"),
        # Which library Keras opens a model with.
        "KERAS_BACKEND",
    }
)
# The locale, and numbers of threads.
_FAMILIES = ("LC_", "OMP_", "KMP_", "OPENBLAS_", "MKL_", "BLIS_", "NUMEXPR_")


def child_environment(environment: Mapping[str, str] = os.environ, *, also: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the variables that a child may see; the child may be started in another directory.

    Args:
        environment: of this process by default.
        also: beginnings of further names, for a child that needs them.
    """
    families = (*_FAMILIES, *also)
    kept = {name: value for name, value in environment.items() if name in _NAMES or name.startswith(families)}
    # An empty entry would be the directory that somebody happens to stand in.
    places = [os.path.abspath(place) for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    return {**kept, "PYTHONPATH": os.pathsep.join(places)} if places else kept
