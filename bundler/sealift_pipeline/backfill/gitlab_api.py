"""Three lists of GitLab's REST interface: what a hook sent, the hook itself, and the issues of a project."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from sealift.errors import LimitError, LocalError
from sealift.registry.access import Access
from sealift.registry.failing import BrokenError
from sealift.registry.origin import Origin
from sealift.registry.session import Session
from sealift.registry.sources.generic_package import InstanceToken
from sealift.registry.transport import Transport
from sealift_common.clock import rfc3339
from sealift_common.errors import MalformedError
from sealift_common.parsing import strict_json
from sealift_pipeline.errors import GitlabError
from sealift_pipeline.settings.settings import FILE, Settings

_EVENTS_PAGE, _ISSUES_PAGE = 20, 100
# An event has at most 25 MiB. A page of 20 that is larger than this is asked for one by one.
_PAGE_BYTES = 64 * 1024 * 1024
# Of answers, until what they hold is taken. In memory, JSON takes some four times as much.
_HELD_BYTES = 32 * 1024 * 1024
# A million events, ten million issues.
_MOST_PAGES = 50_000


class GitlabProject:
    """The lists of one project; each method raises GitlabError where GitLab refuses or does not answer.

    Attributes:
        beyond_limits: how many deliveries are larger, deeper or of more parts than the receiver takes.
    """

    def __init__(self, session: Session, settings: Settings, progress: Callable[[int], object]) -> None:
        self._session = session
        self._progress = progress
        self._read = 0
        self.beyond_limits = 0
        self._hook = settings.hook
        self._api = f"{settings.gitlab_url}/api/v4/projects/{quote(settings.project, safe='')}"

    def hook_events(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the deliveries of the last seven days, some at a time, the newest first.

        A delivery has `request_headers`, `request_data` and more, or nothing where it is beyond the limits. One that
        comes meanwhile moves the others to later places, so some may be there twice, and none is left out.
        """
        held: list[dict[str, Any]] = []
        before = self._read
        for page in range(1, _MOST_PAGES + 1):
            entries = self._deliveries(page)
            held += entries
            if self._read - before > _HELD_BYTES:
                yield held
                held, before = [], self._read
            if len(entries) < _EVENTS_PAGE:
                yield held
                return
        raise GitlabError(f"GitLab lists more than {_MOST_PAGES * _EVENTS_PAGE:,} events of the hook")

    def issues(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Yield each issue that changed since then, the one first that changed first; some may be there twice.

        An issue that changes meanwhile moves to the end, and in pages by number another one would be passed over for
        it. So each page begins with the time where the one before ended.
        """
        after, page = rfc3339(since), 1
        for _ in range(_MOST_PAGES):
            query = {"scope": "all", "updated_after": after, "order_by": "updated_at", "sort": "asc"}
            query |= {"per_page": str(_ISSUES_PAGE), "page": str(page)}
            try:
                entries = self._list(f"{self._api}/issues?{urlencode(query)}", "issues")
            except LimitError as error:
                raise GitlabError(f"issues: {error}") from error
            yield from entries
            if len(entries) < _ISSUES_PAGE:
                return
            last = entries[-1].get("updated_at")
            # More than a page may have changed at one moment.
            after, page = (last, 1) if isinstance(last, str) and last != after else (after, page + 1)
        raise GitlabError(f"GitLab lists more than {_MOST_PAGES * _ISSUES_PAGE:,} issues; narrow it with --since")

    def _deliveries(self, page: int) -> list[dict[str, Any]]:
        url, what = f"{self._api}/hooks/{self._hook}/events", "events of the hook"
        try:
            return self._list(f"{url}?per_page={_EVENTS_PAGE}&page={page}", what)
        except LimitError:
            first = (page - 1) * _EVENTS_PAGE + 1
            return [entry for one in range(first, first + _EVENTS_PAGE) for entry in self._alone(url, one, what)]

    def _alone(self, url: str, place: int, what: str) -> list[dict[str, Any]]:
        try:
            return self._list(f"{url}?per_page=1&page={place}", what)
        except LimitError:
            # The receiver would have refused it too. It must not keep the older ones away.
            self.beyond_limits += 1
            return [{}]

    def _list(self, url: str, what: str) -> list[dict[str, Any]]:
        """Read a list; LimitError where the answer is beyond the limits, GitlabError where it is wrong."""
        try:
            response = self._session.request("GET", url, accept=(200,))
            data = response.read(_PAGE_BYTES, what)
            self._read += len(data)
            self._progress(len(data))
            document = strict_json.parse(data, what, max_size_bytes=_PAGE_BYTES)
        except LimitError:
            raise
        except (LocalError, MalformedError) as error:
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
