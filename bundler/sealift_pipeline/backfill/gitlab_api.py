"""Three lists of GitLab's REST interface: what a hook sent, the hook itself, and the issues of a project."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from sealift.errors import LimitError, LocalError
from sealift.registry.access import Access
from sealift.registry.origin import Origin
from sealift.registry.session import Session
from sealift.registry.sources.generic_package import InstanceToken
from sealift.registry.transport import BrokenError, Transport
from sealift_common.clock import rfc3339
from sealift_common.errors import MalformedError
from sealift_common.parsing import strict_json
from sealift_pipeline.errors import GitlabError
from sealift_pipeline.settings.settings import FILE, Settings

# Events have up to 25 MiB, so few are asked for at once.
_EVENTS_PAGE, _ISSUES_PAGE = 20, 100
_PAGE_BYTES = 128 * 1024 * 1024
# A million events, ten million issues.
_MOST_PAGES = 50_000


class GitlabProject:
    """The lists of one project; each method raises GitlabError where GitLab refuses or does not answer."""

    def __init__(self, session: Session, settings: Settings, progress: Callable[[int], object]) -> None:
        self._session = session
        self._progress = progress
        self._hook = settings.hook
        self._api = f"{settings.gitlab_url}/api/v4/projects/{quote(settings.project, safe='')}"

    def hook_events(self) -> Iterator[dict[str, Any]]:
        """Yield each delivery of the last seven days, the newest first: `request_headers`, `request_data` and more."""
        yield from self._pages(f"{self._api}/hooks/{self._hook}/events?", _EVENTS_PAGE, "events of the hook")

    def issues(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Yield each issue that changed since then, the one first that changed first."""
        query = {"scope": "all", "updated_after": rfc3339(since), "order_by": "updated_at", "sort": "asc"}
        yield from self._pages(f"{self._api}/issues?{urlencode(query)}&", _ISSUES_PAGE, "issues")

    def _pages(self, url: str, size: int, what: str) -> Iterator[dict[str, Any]]:
        for page in range(1, _MOST_PAGES + 1):
            entries = self._list(f"{url}per_page={size}&page={page}", what)
            yield from entries
            if len(entries) < size:
                return
        raise GitlabError(f"GitLab lists more than {_MOST_PAGES * size:,} {what}; narrow it with --since")

    def _list(self, url: str, what: str) -> list[dict[str, Any]]:
        try:
            response = self._session.request("GET", url, accept=(200,))
            data = response.read(_PAGE_BYTES, what)
            self._progress(len(data))
            document = strict_json.parse(data, what, max_size_bytes=_PAGE_BYTES)
        except (LocalError, LimitError, MalformedError) as error:
            raise GitlabError(f"{what}: {error}") from error
        except BrokenError as error:
            raise GitlabError(
                f"{what}: the connection to {Origin.of(url)} broke: {error}; run backfill again"
            ) from error
        if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
            raise GitlabError(f"{what}: {Origin.of(url)} answers with something other than a list; check `url`")
        return document


@contextmanager
def open_gitlab(
    settings: Settings, access: Access, progress: Callable[[int], object] = lambda _size: None
) -> Iterator[GitlabProject]:
    """Open the project that the settings name; nothing is sent yet.

    Args:
        progress: called with the number of bytes of each answer.

    Raises:
        GitlabError: the settings do not say which project and hook, or the address has no TLS.
    """
    missing = [
        name
        for name, value in (("url", settings.gitlab_url), ("project", settings.project), ("hook", settings.hook))
        if not value
    ]
    if missing:
        raise GitlabError(f"{FILE}: [gitlab] lacks {', '.join(missing)}; backfill needs the address, project and hook")
    transport = Transport(access)
    try:
        try:
            origin = Origin.of(settings.gitlab_url)
            transport.require_allowed(origin, "the instance is")
            session = Session(transport, InstanceToken(origin, os.environ))
        except LocalError as error:
            raise GitlabError(str(error)) from error
        yield GitlabProject(session, settings, progress)
    finally:
        transport.close()
