"""Events as GitLab sends them to a hook: the keys that it has, values that nobody owns; the same for the same seed."""

import hashlib
import random
from datetime import UTC, datetime, timedelta

_WORDS = [
    *(
        "the",
        "job",
        "fails",
        "with",
        "a",
        "timeout",
        "after",
        "upgrade",
        "of",
        "runner",
        "pipeline",
        "cache",
        "artifact",
    ),
    *("upload", "deploy", "review", "merge", "conflict", "branch", "approval", "label", "milestone", "search", "index"),
    *("page", "loads", "slowly", "in", "dark", "mode", "when", "token", "expires", "cluster", "agent"),
]
_LABELS = ("type::bug", "type::feature", "severity::2", "group::runner", "frontend", "backend", "documentation")
_START = datetime(2026, 11, 1, 8, tzinfo=UTC)
KINDS = ("issue", "note", "merge_request", "push", "pipeline", "user_destroy")


def person(number):
    """A user; names are invented."""
    first, last = (
        ("Ada", "Boris", "Chioma", "Dmitri", "Elif")[number % 5],
        ("Invented", "Erfunden", "Inventado")[number % 3],
    )
    return {
        "id": number,
        "name": f"{first} {last}{number}",
        "username": f"{first.lower()}.{last.lower()}{number}",
        "avatar_url": f"https://gitlab.invented.example/uploads/user/avatar/{number}/a.png",
        "email": f"{first.lower()}{number}@{last.lower()}.invented.example",
    }


class Events:
    """Makes events of a project, one after the other.

    Args:
        seed: of all values.
        size: about how many bytes an event has as JSON.
        users: how many people there are, numbered from 1.
    """

    def __init__(self, seed=0, *, size=5_000, users=40):
        self.random = random.Random(seed)
        self.size, self.users, self.number = size, users, 0

    def make(self, kind, **changes):
        """One event; `changes` are put into its `object_attributes`, or into the event itself where it has none."""
        self.number += 1
        event = getattr(self, f"_{kind}")()
        event.get("object_attributes", event).update(changes)
        return event

    def several(self, number, kinds=KINDS):
        return [self.make(kinds[place % len(kinds)]) for place in range(number)]

    # --- what each kind has ---------------------------------------------------------------------

    def _issue(self):
        author, actor = self._person(), self._person()
        return {
            "object_kind": "issue",
            "event_type": "issue",
            "user": actor,
            "project": self._project(),
            "object_attributes": {
                "author_id": author["id"],
                "closed_at": None,
                "confidential": False,
                "created_at": self._time(" UTC"),
                "description": self._text(),
                "discussion_locked": None,
                "due_date": None,
                "id": 100_000 + self.number,
                "iid": self.number,
                "last_edited_at": None,
                "last_edited_by_id": None,
                "milestone_id": None,
                "moved_to_id": None,
                "project_id": 7,
                "relative_position": 513,
                "state_id": 1,
                "time_estimate": 0,
                "title": self._words(8),
                "updated_at": self._time(" UTC"),
                "updated_by_id": None,
                "weight": None,
                "url": f"https://gitlab.invented.example/group/app/-/issues/{self.number}",
                "total_time_spent": 0,
                "assignee_ids": [author["id"]],
                "state": "opened",
                "severity": "unknown",
                "action": "open",
            },
            "labels": self._labels(),
            "changes": {"title": {"previous": None, "current": self._words(8)}},
            "repository": self._repository(),
            "assignees": [author],
        }

    def _note(self):
        author = self._person()
        issue = self._issue()["object_attributes"]
        return {
            "object_kind": "note",
            "event_type": "note",
            "user": author,
            "project_id": 7,
            "project": self._project(),
            "object_attributes": {
                "id": 500_000 + self.number,
                "note": self._text(),
                "noteable_type": "Issue",
                "noteable_id": issue["id"],
                "author_id": author["id"],
                "created_at": self._time(" UTC"),
                "updated_at": self._time(" UTC"),
                "project_id": 7,
                "system": False,
                "internal": False,
                "action": "create",
                "url": f"https://gitlab.invented.example/group/app/-/issues/{issue['iid']}#note_{self.number}",
            },
            "repository": self._repository(),
            "issue": {**issue, "description": "short", "labels": self._labels()},
        }

    def _merge_request(self):
        author, reviewer = self._person(), self._person()
        return {
            "object_kind": "merge_request",
            "event_type": "merge_request",
            "user": author,
            "project": self._project(),
            "repository": self._repository(),
            "object_attributes": {
                "id": 200_000 + self.number,
                "iid": self.number,
                "target_branch": "main",
                "source_branch": f"fix-{self.number}",
                "source_project_id": 7,
                "target_project_id": 7,
                "author_id": author["id"],
                "assignee_ids": [author["id"]],
                "reviewer_ids": [reviewer["id"]],
                "title": self._words(8),
                "description": self._text(),
                "created_at": self._time("Z"),
                "updated_at": self._time("Z"),
                "state": "opened",
                "detailed_merge_status": "mergeable",
                "draft": False,
                "last_commit": self._commit(author),
                "action": "open",
            },
            "labels": self._labels(),
            "changes": {},
            "assignees": [author],
            "reviewers": [reviewer],
        }

    def _push(self):
        pusher = self._person()
        commits = [self._commit(self._person()) for _ in range(max(1, self.size // 1_500))]
        return {
            "object_kind": "push",
            "event_name": "push",
            "before": self._sha(),
            "after": self._sha(),
            "ref": "refs/heads/main",
            "ref_protected": True,
            "checkout_sha": self._sha(),
            "user_id": pusher["id"],
            "user_name": pusher["name"],
            "user_username": pusher["username"],
            "user_email": pusher["email"],
            "project_id": 7,
            "project": self._project(),
            "commits": commits,
            "total_commits_count": len(commits),
            "repository": self._repository(),
        }

    def _pipeline(self):
        names = ("compile", "rspec", "jest", "package", "deploy")
        return {
            "object_kind": "pipeline",
            "object_attributes": {
                "id": 300_000 + self.number,
                "iid": self.number,
                "name": None,
                "ref": "main",
                "tag": False,
                "sha": self._sha(),
                "source": "push",
                "status": self.random.choice(["success", "failed"]),
                "detailed_status": "passed",
                "stages": ["build", "test", "deploy"],
                "created_at": self._time(" UTC"),
                "finished_at": self._time(" UTC"),
                "duration": self.random.randint(60, 4_000),
                "queued_duration": None,
                "variables": [],
            },
            "user": self._person(),
            "project": self._project(),
            "commit": self._commit(self._person()),
            "builds": [
                {
                    "id": 400_000 + 10 * self.number + place,
                    "stage": "test",
                    "name": name,
                    "status": self.random.choice(["success", "failed", "skipped"]),
                    "created_at": self._time(" UTC"),
                    "duration": self.random.random() * 600,
                    "user": self._person(),
                    "runner": {"id": 1, "description": "shared", "runner_type": "instance_type", "tags": ["linux"]},
                    "artifacts_file": {"filename": None, "size": None},
                }
                for place, name in enumerate(names)
            ],
        }

    def _user(self, name):
        one = self._person()
        return {
            "event_name": name,
            "created_at": self._time("Z"),
            "updated_at": self._time("Z"),
            **{key: one[key] for key in ("name", "username", "email")},
            "user_id": one["id"],
        }

    def _user_create(self):
        return self._user("user_create")

    def _user_destroy(self):
        return self._user("user_destroy")

    # --- parts ----------------------------------------------------------------------------------

    def _person(self):
        return person(self.random.randint(1, self.users))

    def _words(self, number):
        return " ".join(self.random.choices(_WORDS, k=number))

    def _text(self):
        # What else an event has takes some 1,600 bytes.
        return self._words(max(5, (self.size - 1_600) // 7))

    def _sha(self):
        return hashlib.sha1(self.random.randbytes(8), usedforsecurity=False).hexdigest()

    def _time(self, zone):
        moment = _START + timedelta(minutes=7 * self.number)
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if zone == " UTC" else f"{moment:%Y-%m-%dT%H:%M:%SZ}"

    def _labels(self):
        return [
            {"id": place, "title": title, "color": "#dc143c", "project_id": 7, "type": "ProjectLabel"}
            for place, title in enumerate(_LABELS)
            if self.random.random() < 0.4
        ]

    def _commit(self, author):
        return {
            "id": self._sha(),
            "message": self._words(25),
            "title": self._words(6),
            "timestamp": "2026-11-03T10:11:12+02:00",
            "url": "https://gitlab.invented.example/group/app/-/commit/1",
            "author": {"name": author["name"], "email": author["email"]},
            "added": [],
            "modified": [f"app/models/{word}.rb" for word in self.random.choices(_WORDS, k=6)],
            "removed": [],
        }

    @staticmethod
    def _project():
        return {
            "id": 7,
            "name": "App",
            "description": "",
            "web_url": "https://gitlab.invented.example/group/app",
            "namespace": "Group",
            "visibility_level": 0,
            "path_with_namespace": "group/app",
            "default_branch": "main",
        }

    @staticmethod
    def _repository():
        return {"name": "App", "url": "ssh://gitlab.invented.example/group/app.git", "homepage": "https://x.invalid"}
