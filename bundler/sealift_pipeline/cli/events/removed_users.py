"""What the lander does about users who were removed from GitLab: it erases them where the settings say so."""

import time
from collections.abc import Mapping

import click

from sealift_common.errors import Error
from sealift_common.wording import counted
from sealift_pipeline.data_policy.policy import DESTROYED, DataPolicy
from sealift_pipeline.erasure import destroyed, erasing
from sealift_pipeline.log.base import EventLog
from sealift_pipeline.settings.settings import Settings

_LOOK_AGAIN_S = 3600.0


class RemovedUsers:
    """Looks once at the start, after each round that brought a `user_destroy` event, and every hour.

    Whatever fails here is a note: events go on being landed, and the users go on waiting.
    """

    def __init__(self, settings: Settings, policy: DataPolicy, log: EventLog) -> None:
        self._parts = (settings, policy, log)
        self._settings = settings
        self._next = 0.0

    def finish(self) -> None:
        """Finish an erasure that was interrupted."""
        try:
            request = erasing.finish(*self._parts)
        except Error as error:
            _note(f"an erasure was interrupted and cannot go on: {error}")
        else:
            if request:
                _note(f"finished an erasure that was interrupted: {request}")

    def look(self, landed: Mapping[str, int]) -> None:
        """Erase who waits, by the rules of the settings."""
        if not self._settings.erasure.is_automatic:
            return
        if DESTROYED not in landed and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LOOK_AGAIN_S
        try:
            done, why = destroyed.apply_what_is_sure(*self._parts)
        except Error as error:
            _note(f"removed users are not erased: {error}")
            return
        if done is not None:
            rows = counted(sum(done.rows.values()), "row")
            _note(f"erased {rows} of users who were removed from GitLab; see erasures.jsonl")
            for name in done.snapshots:
                _note(f"{name} cites erased rows; train again what was trained on it")
        elif why:
            _note(f"removed users wait: {why}; look at them: sealift-pipeline erase --pending")


def _note(text: str) -> None:
    click.echo(f"note: {text}", err=True)
