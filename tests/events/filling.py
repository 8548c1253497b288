"""What filling a gap costs: a week of deliveries in bounded memory."""

import json
import os
import time
from unittest.mock import patch

from keeping import measured
from support.gitlab.api import TOKEN, gitlab_api
from support.gitlab.events import Events
from support.gitlab.pipeline import new_pipeline

SMALL, LARGE, LARGE_BYTES = 20_000, 20, 20_000_000
MOST_MB = 1_000
_POLICY = 'format = 1\n[issue]\nid = { path = "object_attributes.id", type = "int" }\n'


def backfill(folder):
    """Deliveries of 5 KB, and some of 20 MB among them, as the list of a hook has them."""
    made = Events(1, size=5_000).several(200, ["issue"])
    large = {**made[0], "changes": ["x" * 1_000] * (LARGE_BYTES // 1_000)}
    place = SMALL // 2

    class Deliveries:
        """A list that makes what is asked for."""

        def __getitem__(self, chosen):
            return [self.one(number) for number in range(chosen.start, min(chosen.stop, SMALL + LARGE))]

        def one(self, number):
            event = large if place <= number < place + LARGE else made[number % len(made)]
            return {"request_headers": {"Idempotency-Key": f"key-{number}"}, "request_data": event}

    with gitlab_api() as api, patch.dict(os.environ, {"GITLAB_TOKEN": TOKEN}):
        api.sent = lambda: _Reversed(Deliveries())
        settings = new_pipeline(folder / "gap", policy=_POLICY, url=api.url, project="group/app", hook=3)
        begin = time.perf_counter()
        words = ["backfill", "--no-issues", "--json", "--pipeline", str(settings.folder)]
        status, document, megabytes = measured(words)
    took, number = time.perf_counter() - begin, SMALL + LARGE
    brought = f"{number:,} deliveries, {LARGE} of {LARGE_BYTES / 1e6:.0f} MB"
    yield status == 0 and document["accepted"]["hook"] == number, f"{brought}: {json.dumps(document)}"
    yield megabytes < MOST_MB, f"{megabytes:.0f} MB, at most {MOST_MB:,}; {number / took:.0f} a second"


class _Reversed:
    """What the server turns around, turned around already."""

    def __init__(self, entries):
        self._entries = entries

    def __getitem__(self, chosen):
        return self._entries if chosen.step == -1 else self._entries[chosen]
