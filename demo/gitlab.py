"""Be a GitLab whose issues change: deliver invented events to a hook, each over a connection of its own.

python demo/gitlab.py 127.0.0.1:8417 hook.token --first 1 --number 5000
python demo/gitlab.py 127.0.0.1:8417 hook.token --destroy 12
"""

import argparse
import http.client
import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BUG = ("crashes", "fails", "hangs", "loses data", "shows an error", "times out", "is slow")
FEATURE = ("should support", "could export", "needs a shortcut for", "should list", "wants an option for", "could sort")
OLD = ("runner", "pipeline", "search", "milestone", "branch", "editor", "wiki", "board")
# What nobody wrote about before: a product area with its own words.
NEW_BUG = ("hallucinates", "refuses to answer", "forgets the context", "quotes a deleted file")
NEW_FEATURE = ("might remember", "ought to cite", "may summarize", "deserves a temperature for")
NEW = ("chat", "agent", "model", "prompt")
NOISE = 0.05


def issue(number: int, *, newer: bool) -> dict[str, Any]:
    """Return the event of an issue, the same for the same number."""
    chance = random.Random(number)  # noqa: S311 - the same every time is the point
    is_bug, is_new = chance.random() < 0.5, newer and chance.random() < 0.6
    verbs = (NEW_BUG if is_bug else NEW_FEATURE) if is_new else (BUG if is_bug else FEATURE)
    thing, author = chance.choice(NEW if is_new else OLD), chance.randint(1, 60)
    when = chance.choice(("today", "again", "after the upgrade"))
    title = f"the {thing} {chance.choice(verbs)} {chance.choice(OLD)} {when}"
    at = f"{datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=5 * number):%Y-%m-%d %H:%M:%S} UTC"
    is_bug ^= chance.random() < NOISE
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": {"id": author, "name": f"Invented {author}", "username": f"invented{author}"},
        "project": {"id": 7},
        "object_attributes": {
            "id": 100_000 + number,
            "iid": number,
            "author_id": author,
            "title": title,
            "description": f"Seen by @invented{author}, mail invented{author}@invented.example",
            "state": "opened",
            "action": "open",
            "created_at": at,
            "updated_at": at,
        },
        "labels": [{"title": "type::bug" if is_bug else "type::feature"}],
    }


def destroyed(user: int) -> dict[str, Any]:
    """Return the event of a user who was removed."""
    return {"event_name": "user_destroy", "user_id": user, "username": f"invented{user}", "name": f"Invented {user}"}


def deliver(host: str, token: str, key: str, event: dict[str, Any]) -> int:
    """Deliver one event; return the status."""
    connection = http.client.HTTPConnection(host, timeout=30)
    kind = "System Hook" if "event_name" in event else "Issue Hook"
    headers = {"X-Gitlab-Token": token, "Idempotency-Key": key, "X-Gitlab-Event": kind}
    connection.request("POST", "/", json.dumps(event), {**headers, "Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def main() -> int:
    """Deliver what the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("token", type=Path)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--newer", action="store_true")
    parser.add_argument("--destroy", type=int, default=0)
    given = parser.parse_args()
    token = given.token.read_text("utf-8").strip()
    numbers = range(given.first, given.first + given.number)
    events = [(f"event-{number}", issue(number, newer=given.newer)) for number in numbers]
    if given.destroy:
        events.append((f"destroyed-{given.destroy}", destroyed(given.destroy)))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda one: deliver(given.host, token, *one), events))
    print(f"delivered {statuses.count(200):,} of {len(statuses):,} events")
    return 0 if set(statuses) == {200} else 1


if __name__ == "__main__":
    sys.exit(main())
