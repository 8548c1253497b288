"""Fifty mails, names, tokens and addresses of nobody, planted in events, and a search of all that a pipeline keeps."""

import json

import pyarrow.parquet as pq
from support.gitlab.events import Events
from support.gitlab.pipeline import land, put
from support.hostile.planted import ALL

from sealift_pipeline.snapshots.taking import take

# Ten names that only the events themselves give; the rest are secrets of the kinds that the disclosure scan knows.
NAMES = tuple(f"{first} Erfundenski{number}" for number, first in enumerate(("Maria", "Jan", "Zoë", "Li", "Omar") * 2))
PLANTED = (*ALL[:20], *ALL[30:50], *NAMES)
assert len(set(PLANTED)) == 50
_SLOTS = {"issue": ("title", "description"), "merge_request": ("title", "description"), "note": ("note",)}


def planted_events(number, seed=11):
    """Events of all kinds, in which each of the fifty stands in a text at least once."""
    events, made = Events(seed, size=2_000), []
    kinds = ("issue", "note", "merge_request", "push", "pipeline")
    for place in range(number):
        kind, secret = kinds[place % 5], PLANTED[place % 50 if place >= 50 else place]
        event = events.make(kind)
        name = NAMES[place % 10]
        if kind == "push":
            event["user_name"] = name
            event["commits"][0]["message"] = f"see {secret} by {name}"
            event["commits"][0]["author"] = {
                "name": secret if secret in NAMES else name,
                "email": f"x{place}@invented.example",
            }
        elif kind == "pipeline":
            event["user"]["name"] = name
            event["object_attributes"]["ref"] = f"fix-{secret}"
        else:
            event["user"] = {**event["user"], "name": secret if secret in NAMES else name}
            for slot in _SLOTS[kind]:
                event["object_attributes"][slot] = f"as {event['user']['name']} wrote:\n{secret} and more"
        made.append(event)
    return made


def found(folder):
    """Return which of the fifty stand in any file of a folder, also in Parquet that is read back."""
    texts = []
    for path in folder.rglob("*"):
        if path.is_file():
            texts.append(path.read_bytes().decode("utf-8", "replace"))
            if path.suffix == ".parquet":
                rows = pq.read_table(path).to_pylist()
                texts.append(json.dumps(rows, default=str, ensure_ascii=False))
    return {secret for secret in PLANTED if any(secret in text or json.dumps(secret)[1:-1] in text for text in texts)}


def unprotected(text):
    """A data policy with every text and person kept as it is, and the names of persons in addition."""
    text = text.replace('type = "text"', 'type = "str"')
    lines = [line for line in text.splitlines() if 'type = "person"' not in line]
    names = {"[push]": "user_name", "[pipeline]": "user.name", "[issue]": "user.name", "[note]": "user.name"}
    return (
        "\n".join(
            f'{line}\nwho = {{ path = "{names[line]}", type = "str" }}' if line in names else line
            for line in lines
            if line != "[user_destroy]"
        )
        + "\n"
    )


def carried(settings, number):
    """Land half of the events and leave half in the log, and cite what was landed; return what stood in the log first."""
    events = planted_events(number)
    put(settings, events[: number // 2])
    before = found(settings.folder)
    land(settings)
    snapshots = settings.folder / "snapshots"
    snapshots.mkdir()
    (snapshots / "issue.json").write_bytes(take(settings, settings.data_policy(), "issue").to_bytes())
    put(settings, events[number // 2 :], first=number)
    return before
