"""A small server that speaks the interface of GitLab's generic packages, for one project."""

import hashlib
import json
import re
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TOKENS = {"PRIVATE-TOKEN": "personal", "DEPLOY-TOKEN": "deploy", "JOB-TOKEN": "job"}
# As gitlab-ci-local calls every project.
RELEASES = "/api/v4/projects/1217/releases"
LINK_TYPES = {"other", "runbook", "image", "package"}
FILE = re.compile(r"/api/v4/projects/models%2Ftriage/packages/generic/([^/]+)/([^/]+)/([^/]+)")


class Gitlab(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def say(self, status, document=None, **headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        if path.startswith("/storage/"):
            self.store(path)
            return
        if not any(self.headers.get(name) == value for name, value in TOKENS.items()):
            self.say(401, {"message": "401 Unauthorized"})
            return
        match = FILE.fullmatch(path)
        files = self.server.files
        if match and self.command == "PUT":
            files[match.groups()] = self.rfile.read(int(self.headers["Content-Length"]))
            self.say(201, {"message": "201 Created"})
        elif match and match.groups() in files:
            # As with object storage behind it, under another name of this machine.
            self.say(
                302,
                Location=f"{self.server.scheme}://localhost:{self.server.server_address[1]}/storage/{'/'.join(match.groups())}",
            )
        elif path == "/api/v4/projects/models%2Ftriage/packages":
            (name,) = query["package_name"]
            # GitLab finds by part of a name.
            found = [{"id": n, "name": p, "version": v} for n, (p, v, _) in enumerate(files) if name in p]
            page, size = int(query["page"][0]), int(query["per_page"][0])
            self.say(200, found[::-1][(page - 1) * size : page * size])
        elif found := re.fullmatch(r"/api/v4/projects/models%2Ftriage/packages/([0-9]+)/package_files", path):
            (_, _, name), data = list(files.items())[int(found[1])]
            self.say(200, [{"id": 1, "file_name": name, "file_sha256": hashlib.sha256(data).hexdigest()}])
        elif path == RELEASES and self.command == "POST":
            self.release(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        else:
            self.say(404, {"message": "404 Project Not Found"})

    def release(self, asked):
        """Make a release of the project; GitLab has one for each tag, and makes the tag where `ref` says."""
        links = asked.get("assets", {}).get("links", [])
        if not asked.get("tag_name") or not all(one.get("name") and one.get("url") for one in links):
            self.say(400, {"error": "tag_name, assets[links][name], assets[links][url] are missing"})
        elif not {one.get("link_type", "other") for one in links} <= LINK_TYPES:
            self.say(400, {"error": "assets[links][link_type] does not have a valid value"})
        elif asked["tag_name"] in self.server.releases:
            self.say(409, {"message": "Release already exists"})
        else:
            self.server.releases[asked["tag_name"]] = asked
            self.say(201, asked)

    def store(self, path):
        data = self.server.files[tuple(path.split("/")[2:])]
        begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[begin:])

    do_GET = do_PUT = do_POST = handle_one  # noqa: N815 - the names that http.server calls


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Gitlab)
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.files, self.releases, self.asked = {}, {}, []

    def handle_error(self, request, client_address):
        """A client that jumps in a file hangs up."""


@contextmanager
def gitlab_server(certificate=None):
    with Server(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
