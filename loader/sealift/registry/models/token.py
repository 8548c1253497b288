"""The token for one registry of models: from a file or the environment, never from an argument, and never shown."""

from collections.abc import Mapping
from pathlib import Path

from sealift.errors import KeyFileError, LocalError
from sealift.registry.models.place import RegistryPlace
from sealift.registry.origin import Origin
from sealift_common.console import local_error
from sealift_common.files.secret_file import read_regular, require_private

_MOST_BYTES = 10_000
_ANY = "MLFLOW_TRACKING_TOKEN"
# A token of a job or a deploy token is of no use: GitLab's MLflow routes take neither.
_OF_GITLAB = "GITLAB_TOKEN"


class BearerToken:
    """A token that goes to one server alone; not to object storage, to which that server may lead.

    Args:
        origin: the server.
        token: empty for none.
        place: for what is said where the server refuses it.
    """

    def __init__(self, origin: Origin, token: str, place: RegistryPlace) -> None:
        self.origin = origin
        self._given = bool(token)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._place = place

    def headers(self, origin: Origin) -> dict[str, str]:
        """Return the header with the token, for this server alone."""
        return self._headers if origin == self.origin else {}

    def answer(self, _challenges: list[str]) -> None:
        """Refuse: a token that was not taken is not taken the second time either."""
        if not self._given:
            names = f"{_ANY} or {_OF_GITLAB}" if self._place.is_gitlab else _ANY
            raise LocalError(f"{self.origin} requires a token; give it with --token-file, or set {names}")
        hint = (
            "it needs the scope 'api', and its user the role Developer; it may have expired"
            if self._place.is_gitlab
            else "it may have expired"
        )
        raise LocalError(f"{self.origin} requires a token, and refuses the one given (HTTP 401); {hint}")


def find_token(place: RegistryPlace, path: Path | None, environment: Mapping[str, str]) -> str:
    """Return the token of a file, or else of the environment; "" where there is none.

    Raises:
        LocalError: others may read the file, it is empty, or what it holds is not a token.
    """
    if path is None:
        names = (_ANY, _OF_GITLAB) if place.is_gitlab else (_ANY,)
        name = next((one for one in names if environment.get(one)), "")
        token, where = environment.get(name, ""), name
    else:
        token, where = _read(path), f"the token file {str(path)!r}"
    if not token.isascii() or not token.isprintable() or " " in token:
        # Not shown: most of it may be the token.
        raise LocalError(f"{where} holds a space, a line break, or a character that no token has; set it again")
    return token


def _read(path: Path) -> str:
    try:
        data, status = read_regular(path, _MOST_BYTES)
        require_private(path, status, "the token file")
    except OSError as error:
        raise local_error(error, "cannot read the token file") from None
    except KeyFileError as error:
        raise LocalError(str(error)) from None
    token = data.decode("utf-8", "replace").strip()
    if not token:
        raise LocalError(f"the token file {str(path)!r} is empty; write the token into it")
    return token
