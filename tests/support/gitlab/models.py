"""What GitLab keeps of models: models, versions, and the run that each version has; as its services and tables do it.

Each number and each refusal here was read in GitLab's own routes, services, entities and request tests.
"""

import itertools
import re
import uuid

SEMVER = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
FILE_NAME = re.compile(r"[A-Za-z0-9._\-+ ]+", re.ASCII)
MOST_NAME, MOST_PARAM, MOST_VALUE, MOST_DESCRIPTION = 250, 250, 5000, 10_000


class RefusedError(Exception):
    """What MLflow's clients get: a status and a code."""

    def __init__(self, status, code, message=None):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def missing():
    return RefusedError(404, "RESOURCE_DOES_NOT_EXIST")


def invalid(message=None):
    return RefusedError(400, "INVALID_PARAMETER_VALUE", message)


def pairs(entries):
    return [{"key": key, "value": value} for key, value in entries.items()]


class Run:
    """A candidate; GitLab makes one for each model version."""

    def __init__(self, iid, experiment, name=None, version=None):
        self.iid, self.eid, self.experiment, self.name, self.version = iid, str(uuid.uuid4()), experiment, name, version
        self.metrics, self.params, self.tags, self.status, self.files = [], {}, {}, "RUNNING", {}

    def add(self, kind, entries):
        """Of what is there already, `insert_all` takes no notice; the columns have limits."""
        for one in entries or []:
            if not one.get("key") or len(one["key"]) > MOST_NAME:
                raise invalid("Validation failed: Name is too long (maximum is 250 characters)")
            if kind == "metrics":
                self.metrics.append({name: one.get(name) for name in ("key", "value", "timestamp", "step")})
                continue
            most = MOST_PARAM if kind == "params" else MOST_VALUE
            if len(str(one["value"])) > most:
                raise invalid("PG::CheckViolation: ERROR: new row violates check constraint")
            getattr(self, kind).setdefault(one["key"], str(one["value"]))

    def document(self, artifacts):
        place = str(self.version["id"]) if self.version else f"candidate:{self.iid}"
        info = {
            "run_id": self.eid,
            "run_uuid": self.eid,
            "experiment_id": str(self.experiment["iid"]),
            "start_time": 0,
            "status": self.status,
            "artifact_uri": f"{artifacts}{place}/files/",
            "lifecycle_stage": "active",
            "user_id": "1",
        }
        data = {"metrics": self.metrics, "params": pairs(self.params), "tags": pairs(self.tags)}
        return {"run": {"info": info | ({"run_name": self.name} if self.name else {}), "data": data}}


class Models:
    """The model registry of one project."""

    def __init__(self, first_id=731):
        self.models, self.experiments, self.runs = {}, {}, {}
        # Numbers of versions are the instance's, not the project's.
        self._versions, self._iids, self._runs = itertools.count(first_id), itertools.count(1), itertools.count(1)

    def create_experiment(self, name, tags=()):
        if name in self.experiments:
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS")
        one = {"iid": next(self._iids), "name": name, "tags": {tag["key"]: tag["value"] for tag in tags or ()}}
        self.experiments[name] = one
        return one

    def experiment(self, *, iid=None, name=None):
        for one in self.experiments.values():
            if str(one["iid"]) == str(iid) or one["name"] == name:
                return one
        raise missing()

    def create_model(self, name, description=None, tags=()):
        keys = [tag.get("key") for tag in tags or ()]
        if name in self.models or len(set(keys)) != len(keys) or "" in keys:
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS")
        experiment = self.create_experiment(f"[model]{name}")
        self.models[name] = {
            "name": name,
            "description": description or "",
            "tags": {tag["key"]: tag["value"] for tag in tags or ()},
            "experiment": experiment,
            "versions": {},
        }
        return self.models[name]

    def model(self, name):
        if name not in self.models:
            raise missing()
        return self.models[name]

    def create_version(self, name, description=None, tags=()):
        model, tags = self.model(name), tags or ()
        wanted = next((tag.get("value") for tag in tags if tag.get("key") == "gitlab.version"), None)
        version = wanted or self._next(model)
        if SEMVER.fullmatch(version) is None:
            raise invalid(["Version must be semantic version"])
        if version in model["versions"]:
            raise invalid(["Version has already been taken"])
        if len(description or "") > MOST_DESCRIPTION:
            raise invalid(["Description is too long (maximum is 10000 characters)"])
        kept = {}
        for tag in tags:
            if not tag.get("key") or not tag.get("value"):
                raise invalid(["Validation failed: Name can't be blank"])
            if len(tag["value"]) > MOST_VALUE or len(tag["key"]) > 255:
                raise invalid(["Validation failed: Value is too long (maximum is 5000 characters)"])
            if tag["key"] in kept:
                raise invalid([f"Validation failed: Name '{tag['key']}' already taken"])
            kept[tag["key"]] = tag["value"]
        one = {"id": next(self._versions), "model": model, "version": version, "tags": kept}
        one |= {"description": description or ""}
        one["run"] = self.create_run(model["experiment"], None, version=one)
        model["versions"][version] = one
        return one

    @staticmethod
    def _next(model):
        newest = max((tuple(map(int, SEMVER.match(text).groups()[:3])) for text in model["versions"]), default=None)
        return "1.0.0" if newest is None else f"{newest[0]}.{newest[1]}.{newest[2] + 1}"

    def version(self, name, version):
        """Of the name and SemVer; the number that every answer calls its version finds nothing."""
        try:
            return self.models[name]["versions"][version]
        except KeyError:
            raise missing() from None

    def latest(self, name):
        versions = self.model(name)["versions"].values()
        return max(versions, key=lambda one: tuple(map(int, SEMVER.match(one["version"]).groups()[:3])), default=None)

    def create_run(self, experiment, name, version=None):
        run = Run(next(self._runs), experiment, name, version)
        self.runs[run.eid] = run
        return run

    def run(self, eid):
        if eid not in self.runs:
            raise missing()
        return self.runs[eid]

    def package(self, place):
        """The files of `ID`, or of `candidate:ID`; None where there is no such version or run."""
        for run in self.runs.values():
            if place == (str(run.version["id"]) if run.version else f"candidate:{run.iid}"):
                return run.files
        return None


def version_document(one, url):
    """A version as answers have it: `version` is its number on the instance, and the SemVer is an alias."""
    return {
        "name": one["model"]["name"],
        "version": str(one["id"]),
        "creation_timestamp": 1_795_000_000,
        "last_updated_timestamp": 1_795_000_000,
        "user_id": None,
        "current_stage": "development",
        "description": one["description"],
        "source": f"{url}/models/triage/-/ml/models/1/versions/{one['id']}",
        "run_id": one["run"].eid,
        "status": "READY",
        "status_message": "",
        "tags": pairs(one["tags"]),
        "run_link": "",
        "aliases": [one["version"]],
    }


def model_document(one, url):
    return {
        "name": one["name"],
        "creation_timestamp": 1_795_000_000,
        "last_updated_timestamp": 1_795_000_000,
        "description": one["description"],
        "user_id": "1",
        "tags": pairs(one["tags"]),
        "latest_versions": [version_document(version, url) for version in one["versions"].values()],
    }
