"""The MLflow routes of GitLab, and its packages of models, over HTTP for one project; as GitLab answers them.

Odd places that clients meet: every answer of the MLflow routes is 200, and that of an upload 201. Who may read and not
write gets 401, who may not read 404, and a token with too small a scope 403. Packages of models take a token in
`Authorization` alone, and no deploy token; the MLflow routes take no token of a job. There are no routes for logged
models, inputs, tags of versions, or a search of versions, which MLflow's own client asks for.
"""

import hashlib
import json
import re
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from support.gitlab.models import FILE_NAME, Models, RefusedError, invalid, missing, model_document, version_document

WRITES, READS, OUTSIDER, NARROW, JOB = "glpat-writes", "glpat-reads", "glpat-outsider", "glpat-narrow", "glcbt-job"
PROJECT, NUMBER = "models%2Ftriage", 7
API = f"/api/v4/projects/{PROJECT}"
_NUMBER = re.compile(r"[0-9]+", re.ASCII)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def say(self, status, document, headers=()):
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **dict(headers)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        # A project has a number too, by which GitLab names it in its own answers.
        parts = urlsplit(self.path.replace(f"/projects/{NUMBER}/", f"/projects/{PROJECT}/", 1))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # What breaks off is nothing.
            self.close_connection = True
            return
        server = self.server
        server.asked.append((self.command, self.path, dict(self.headers), body))
        if parts.path.startswith("/storage/"):
            self.say(200, server.stored[parts.path])
            return
        for fault in server.faults:
            if fault.meets(self.command, parts.path):
                if callable(fault.body):
                    self.close_connection = True
                    fault.body(self)
                else:
                    self.say(fault.status, fault.body, fault.headers)
                return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            with server.lock:
                self.route(parts.path, query, body)
        except RefusedError as refused:
            # A message that is nil is left out.
            document = {"error_code": refused.code} | ({"message": refused.message} if refused.message else {})
            self.say(refused.status, document)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815 - the names that http.server calls

    def token(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme == "Bearer" else self.headers.get("PRIVATE-TOKEN", "")

    def route(self, path, query, body):
        mlflow, artifacts = f"{API}/ml/mlflow/api/2.0/mlflow/", f"{API}/ml/mlflow/api/2.0/mlflow-artifacts/artifacts"
        package = re.fullmatch(rf"{API}/packages/ml_models/([^/]+)/files/(.+)", path)
        token, writes = self.token(), self.command in ("PUT", "DELETE", "PATCH")
        if package and not self.headers.get("Authorization", "").startswith("Bearer "):
            token = ""
        if token not in (WRITES, READS, OUTSIDER, NARROW, *((JOB,) if package else ())):
            self.say(401, {"message": "401 Unauthorized"})
        elif token == NARROW:
            wanted = {"error": "insufficient_scope", "error_description": "The request requires higher privileges"}
            self.say(403, {**wanted, "scope": "api"})
        elif token == OUTSIDER or not path.startswith(API + "/"):
            self.say(404, {"message": "404 Project Not Found"})
        elif package and writes and token == READS:
            self.say(403, {"message": "403 Forbidden"})
        elif path == f"{API}/packages" and self.command == "GET":
            self.say(200, self.packages(query))
        elif listed := re.fullmatch(rf"{API}/packages/([0-9]+)/package_files", path):
            self.say(200, self.package_files(listed[1], query))
        elif package:
            self.package(unquote(package[1]), [unquote(part) for part in package[2].split("/")], body)
        elif path == artifacts and self.command == "GET":
            self.list_files(query["path"])
        elif path.startswith(artifacts + "/") and self.command == "GET":
            place, _, name = path.removeprefix(artifacts + "/").partition("/")
            self.file(self.server.models.package(unquote(place)), unquote(name).replace("/", "%2F"))
        elif path.startswith(mlflow):
            name = path.removeprefix(mlflow)
            changes = (self.command != "GET" and "search" not in name) and not name.endswith("get-latest-versions")
            if changes and token == READS:
                self.say(401, {"message": "401 Unauthorized"})
                return
            try:
                values = query if self.command == "GET" else json.loads(body or b"{}")
            except ValueError:
                self.say(400, {"error": "body does not contain valid JSON"})
                return
            answer = self.answer(self.command, name, values)
            if answer is None:
                self.say(404, {"error": "404 Not Found"})
            else:
                self.say(200, answer)
        else:
            self.say(404, {"error": "404 Not Found"})

    def answer(self, method, name, values):
        """Return the document of one MLflow route; None where GitLab has no such route."""
        models, url = self.server.models, self.server.url
        get = values.get
        if (method, name) == ("GET", "experiments/get"):
            return {"experiment": self.experiment(models.experiment(iid=get("experiment_id")))}
        if (method, name) == ("GET", "experiments/get-by-name"):
            return {"experiment": self.experiment(models.experiment(name=get("experiment_name")))}
        if (method, name) == ("POST", "experiments/create"):
            return {"experiment_id": str(models.create_experiment(self.required(values, "name"), get("tags"))["iid"])}
        if (method, name) == ("POST", "runs/create"):
            experiment = models.experiment(iid=self.required(values, "experiment_id"))
            run = models.create_run(experiment, get("run_name"))
            run.add("tags", get("tags"))
            return run.document(self.artifacts)
        if (method, name) == ("GET", "runs/get"):
            return models.run(self.required(values, "run_id")).document(self.artifacts)
        if (method, name) == ("POST", "runs/search"):
            (iid, *_) = self.required(values, "experiment_ids")
            experiment = models.experiment(iid=iid)
            found = [run for run in models.runs.values() if run.experiment is experiment][::-1]
            return {"runs": [run.document(self.artifacts)["run"] for run in found[: get("max_results", 200)]]}
        if method == "POST" and name.startswith("runs/"):
            return self.change_run(name, values, models.run(self.required(values, "run_id")))
        if name.startswith("registered-models/"):
            return self.registered_model(method, name.partition("/")[2], values, models, url)
        if (method, name) == ("POST", "model-versions/create"):
            one = models.create_version(get("name"), get("description"), get("tags"))
            return {"model_version": version_document(one, url)}
        if (method, name) == ("GET", "model-versions/get"):
            return {
                "model_version": version_document(models.version(get("name"), self.required(values, "version")), url)
            }
        if (method, name) == ("PATCH", "model-versions/update"):
            if not (get("name") and get("version") and get("description")):
                raise invalid()
            try:
                one = models.version(get("name"), get("version"))
            except RefusedError:
                raise RefusedError(400, "UPDATE_FAILED") from None
            one["description"] = get("description")
            return {"model_version": version_document(one, url)}
        if (method, name) == ("GET", "model-versions/get-download-uri"):
            if not _NUMBER.fullmatch(self.required(values, "version")):
                raise BadRequestError("version is invalid")
            return {"artifact_uri": f"mlflow-artifacts:/{get('version')}"}
        return None

    def registered_model(self, method, name, values, models, url):
        get = values.get
        if (method, name) == ("POST", "create"):
            one = models.create_model(self.required(values, "name"), get("description"), get("tags"))
            return {"registered_model": model_document(one, url)}
        if (method, name) == ("GET", "get"):
            return {"registered_model": model_document(models.model(get("name", "")), url)}
        if (method, name) == ("PATCH", "update"):
            one = models.model(get("name"))
            one["description"] = get("description")
            return {"registered_model": model_document(one, url)}
        if (method, name) == ("DELETE", "delete"):
            one = models.model(get("name"))
            del models.models[one["name"]], models.experiments[one["experiment"]["name"]]
            return {}
        if (method, name) == ("POST", "get-latest-versions"):
            one = models.latest(get("name"))
            # Without a version it presents nil.
            return {"model_versions": [one and version_document(one, url)]}
        if (method, name) == ("GET", "alias"):
            return {"model_version": version_document(models.version(get("name"), get("alias")), url)}
        if (method, name) == ("GET", "search"):
            wanted = get("filter")
            attribute, _, value = (wanted or "").partition("=")
            if wanted and attribute.strip() != "name":
                raise invalid("Invalid attribute key specified. Valid keys are '{'name'}'")
            found = [one for one in models.models.values() if not wanted or one["name"] == value.strip("'\"")]
            return {"registered_models": [model_document(one, url) for one in found], "next_page_token": ""}
        return None

    def change_run(self, name, values, run):
        if name == "runs/log-batch":
            for kind in ("metrics", "params", "tags"):
                run.add(kind, values.get(kind))
            return {}
        if name == "runs/update":
            run.status = values.get("status", run.status)
            return {"run_info": run.document(self.artifacts)["run"]["info"]}
        kind = {"runs/log-metric": "metrics", "runs/log-parameter": "params", "runs/set-tag": "tags"}.get(name)
        if kind is None:
            return None
        if kind == "tags" and values.get("key") in run.tags:
            raise invalid(f"Validation failed: Name '{values['key']}' already taken")
        run.add(kind, [values])
        return {}

    @property
    def artifacts(self):
        return f"{self.server.url}{API.replace(PROJECT, str(NUMBER))}/packages/ml_models/"

    def package(self, place, parts, body):
        files = self.server.models.package(place)
        if files is None:
            self.say(404, {"message": "404 Not Found"})
            return
        name = "%2F".join(parts)
        if self.command == "PUT":
            if any(part in ("", ".", "..") or FILE_NAME.fullmatch(part) is None for part in parts):
                self.say(400, {"error": "file_name is invalid"})
            elif len(body) > self.server.most_bytes:
                self.say(400, {"message": "400 Bad request - Artifact file is too large"})
            else:
                files[name] = body
                self.say(201, {"message": "201 Created"})
        else:
            self.file(files, name)

    def packages(self, query):
        """GitLab finds by a part of the name; of ours a package has the number of its version."""
        assert query["package_type"] == "ml_model"
        models = self.server.models.models.items()
        wanted = [one for name, model in models if query["package_name"] in name for one in model["versions"].values()]
        return [{"id": one["id"], "name": one["model"]["name"], "version": one["version"]} for one in wanted]

    def package_files(self, place, query):
        files = list((self.server.models.package(place) or {}).items())
        page, size = int(query["page"]), int(query["per_page"])
        return [
            {"id": number, "file_name": name, "size": len(data), "file_sha256": hashlib.sha256(data).hexdigest()}
            for number, (name, data) in enumerate(files)
        ][(page - 1) * size : page * size]

    def list_files(self, path):
        place, _, inner = path.partition("/")
        files = self.server.models.package(place)
        if files is None:
            raise missing()
        # A folder is answered with nothing.
        shown = {} if inner else files
        entries = [{"path": name, "file_size": len(data), "is_dir": False} for name, data in shown.items()]
        self.say(200, {"files": entries if self.server.listed is None else self.server.listed})

    def file(self, files, name):
        if files is None or name not in files:
            raise missing()
        if self.server.elsewhere:
            # As with object storage behind it, under another name of this machine.
            stored = f"/storage/{len(self.server.stored)}"
            self.server.stored[stored] = files[name]
            location = f"{self.server.scheme}://localhost:{self.server.server_address[1]}{stored}"
            self.say(302, b"", {"Location": location})
        elif self.server.unsized:
            self.say_in_chunks(files[name])
        else:
            self.say(200, files[name])

    def say_in_chunks(self, data, size=64 * 1024):
        """As MLflow's own server does, which says of no file how long it is."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    @staticmethod
    def required(values, name):
        if name not in values:
            raise BadRequestError(f"{name} is missing")
        return values[name]

    @staticmethod
    def experiment(one):
        tags = [{"key": key, "value": value} for key, value in one["tags"].items()]
        shown = {"experiment_id": str(one["iid"]), "name": one["name"], "lifecycle_stage": "active"}
        return {**shown, "artifact_location": "not_implemented", "tags": tags}


class BadRequestError(RefusedError):
    """What Grape itself says of a parameter; it knows nothing of MLflow's codes."""

    def __init__(self, message):
        super().__init__(400, None, message)


class Fault:
    """An answer in place of the right one, for a number of times; `body` may be a function that writes all of it."""

    def __init__(self, method, part, status, body=b"{}", headers=(), times=10**9):
        self.method, self.part, self.status, self.body, self.headers = method, part, status, body, headers
        self.times = times

    def meets(self, method, path):
        if self.times < 1 or method != self.method or self.part not in path:
            return False
        self.times -= 1
        return True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.models, self.asked, self.faults, self.stored, self.lock = Models(), [], [], {}, threading.RLock()
        # What a test changes: files elsewhere or without their length, a list of files that lies, a plan's limit of one.
        self.unsized = False
        self.elsewhere, self.listed, self.most_bytes = False, None, 10 * 1024**3

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    @property
    def address(self):
        return f"gitlab://127.0.0.1:{self.server_address[1]}/{PROJECT}"

    def handle_error(self, request, client_address):
        """A client that has seen enough hangs up."""


@contextmanager
def model_registry(certificate=None):
    """Answer on loopback; `certificate` is a pair of files, and then it is TLS."""
    with Server(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
