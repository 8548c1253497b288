"""What a client is told when it gets no answer: a status of HTTP, a word for programs, and a sentence."""

from http import HTTPStatus

from sealift.errors import (
    Error,
    InputError,
    LimitError,
    MalformedError,
    NotInstalledError,
    UnreviewedError,
    UsageError,
    WithdrawnError,
)

# A queue is short again, or a model loaded, after some seconds at the latest.
RETRY_AFTER_S = 1
NOT_LOADED = "not-loaded"

_STATUS_OF = {
    InputError: HTTPStatus.BAD_REQUEST,
    MalformedError: HTTPStatus.BAD_REQUEST,
    LimitError: HTTPStatus.BAD_REQUEST,
    UsageError: HTTPStatus.BAD_REQUEST,
    NotInstalledError: HTTPStatus.NOT_FOUND,
    WithdrawnError: HTTPStatus.GONE,
    UnreviewedError: HTTPStatus.FORBIDDEN,
}


class RefusedError(Exception):
    """A request that gets no answer.

    Attributes:
        status: of HTTP.
        code: a stable word for programs; that of the `sealift.Error` where one is the cause.
        close: whether the connection ends with it, because the rest of the request was not read.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str, *, close: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.close = close


def not_loaded(message: str) -> RefusedError:
    """Refuse for now: a model is being loaded."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, NOT_LOADED, f"{message}; ask again in some seconds")


def refused(error: Error | RefusedError) -> RefusedError:
    """Translate an error of Sealift; what is nobody's fault who asks is 503: the store, a model that does not load."""
    if isinstance(error, RefusedError):
        return error
    status = _STATUS_OF.get(type(error), HTTPStatus.SERVICE_UNAVAILABLE)
    return RefusedError(status, error.code, str(error))
