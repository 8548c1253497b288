"""The library `tokenizers`: found or asked for, and its errors seen as ours.

It is written in Rust. Where Rust panics, a *BaseException* of another module's comes, which `except Exception` does
not catch; the library works again afterwards.
"""

import re
from collections.abc import Callable
from typing import Any

from sealift.errors import Error, IncompatibleError

_LOWEST, _BELOW = (0, 19, 1), (0, 24)
_PANIC = "PanicException"
_REASON_CHARS = 200


def library() -> Any:
    """Import the library.

    Raises:
        IncompatibleError: it is not installed, or of a version that answers were not compared with.
    """
    wanted = "'tokenizers' >= 0.19.1, < 0.24"
    how = "install it with: pip install 'sealift[text]', or carry it in with: sealift-bundler kit --extra text"
    try:
        import tokenizers
    except ImportError as error:
        raise IncompatibleError(f"this model takes text and needs the library {wanted} ({error}); {how}") from None
    version = str(tokenizers.__version__)
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if not _LOWEST <= numbers < _BELOW:
        raise IncompatibleError(f"this model takes text and needs the library {wanted}; this is {version}; {how}")
    return tokenizers


def open_tokenizer(data: bytes, what: str) -> Any:
    """Let the library read a `tokenizer.json` that was checked.

    Args:
        data: the file; `check_tokenizer` has passed it.
        what: the model, for messages.

    Raises:
        IncompatibleError: there is no such library here, or this version of it does not take the file.
    """
    tokenizers = library()

    def refused(reason: str) -> Error:
        return IncompatibleError(f"tokenizers {tokenizers.__version__} refuses the tokenizer of {what}: {reason}")

    return asked(refused, tokenizers.Tokenizer.from_buffer, data)


def asked(refused: Callable[[str], Error], call: Callable[..., Any], *arguments: Any) -> Any:
    """Call the library.

    Args:
        refused: makes the error that is raised in place of the library's own, of a reason in one line.
        call: a function of the library.
        arguments: what it takes.

    Raises:
        Error: what `refused` makes.
    """
    try:
        return call(*arguments)
    except Exception as error:
        # The library raises bare Exception, TypeError and its own.
        raise refused(_reason(error)) from error
    except BaseException as error:
        if type(error).__name__ != _PANIC:
            raise
        raise refused(_reason(error)) from error


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:_REASON_CHARS]}"
