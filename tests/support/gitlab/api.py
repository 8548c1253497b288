"""GitLab's lists: what a hook sent in seven days, and the issues of a project, a page at a time."""

import json
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKEN = "glpat-of-nobody"


def issue_of(event):
    """An issue as the list shows it: the state that an event left behind."""
    attributes = event["object_attributes"]
    author = next((one for one in event["assignees"] if one["id"] == attributes["author_id"]), event["user"])
    times = {name: attributes[name].replace(" UTC", ".417Z").replace(" ", "T") for name in ("created_at", "updated_at")}
    names = ("id", "iid", "project_id", "title", "description", "state", "confidential", "weight", "due_date")
    return {
        **{name: attributes[name] for name in names},
        **times,
        "author": {"id": attributes["author_id"], "name": author["name"], "username": author["username"]},
        "assignees": [
            {"id": one["id"], "name": one["name"], "username": one["username"]} for one in event["assignees"]
        ],
        "labels": [one["title"] for one in event["labels"]],
        "web_url": attributes["url"],
    }


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append(self.path)
        if self.headers.get("PRIVATE-TOKEN") != TOKEN:
            self.say(401, {"message": "401 Unauthorized"})
        elif parts.path == "/api/v4/projects/group%2Fapp/hooks/3/events":
            # The newest first, and never more than twenty.
            self.page(self.server.sent()[::-1], query, 20)
        elif parts.path == "/api/v4/projects/group%2Fapp/issues" and query["scope"] == "all":
            found = [one for one in self.server.issues if one["updated_at"] >= query["updated_after"]]
            self.page(sorted(found, key=lambda one: one["updated_at"]), query, 100)
        else:
            self.say(404, {"message": "404 Not Found"})

    def page(self, entries, query, most):
        page, size = int(query["page"]), min(int(query["per_page"]), most)
        self.say(200, entries[(page - 1) * size : page * size])

    def say(self, status, document):
        body = self.server.answer if self.server.answer is not None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Api)
        self.sent, self.issues, self.asked, self.answer = list, [], [], None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        """A client that has seen enough hangs up."""


@contextmanager
def gitlab_api(certificate=None):
    """Answer on loopback; `certificate` is a pair of files, and then it is TLS."""
    with Server() as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
