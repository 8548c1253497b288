"""Reviews: a load where a channel has 1,000 statements beside one where it has one, in a running process and in a cold one;
and how much of what instances read at most 2,000 versions fill that three roles approved.

Both stores hold one model and the same list of versions, under a policy that asks for its approval; one channel has one
statement, the other 1,000. They alternate, each cold load is a process of its own, and the least of each is compared.

    python tests/bench/making/bench_review.py [load|size]
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.measuring import instance_python
from bench.promises import promise

ROUNDS = 15
ENVELOPES = 1000
VERSIONS = 2000
# Of the most bytes of targets: what a channel grows to before somebody has to take versions out of it.
SHARE = 1.0
ROLES = ("security", "legal", "privacy")

COLD = r"""
import sys, time
began = time.perf_counter()
from pathlib import Path
from sealift.store import Store
place = Path(sys.argv[1])
store = Store(place / "store", trust=place / "etc")
model = store.load("toy")
print((time.perf_counter() - began) * 1000)
"""
WARM = (
    COLD
    + r"""
import statistics
taken = []
for _ in range(200):
    began = time.perf_counter()
    store.load("toy")
    taken.append(time.perf_counter() - began)
print(statistics.median(taken) * 1000)
"""
)


def channel(directory: Path, roles: tuple[str, ...] = ROLES) -> Any:
    from support.release.reviews import ReviewedChannel

    return ReviewedChannel(directory, [(role, f"of-{role}") for role in roles])


def store(work: Path, sim: Any, envelopes: list[dict[str, Any]], listed: list[Any]) -> Path:
    from support.release.instance import Instance
    from support.release.reviews import SECURITY, demand, list_reviews
    from tuf.api.metadata import TargetFile

    def change(reviews: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*reviews, *envelopes]

    def list_versions(signed: Any) -> None:
        for subject in listed:
            path = subject.model.target_path
            signed.targets[path] = TargetFile(1000, {"sha256": subject.hex}, path)

    sim.change("targets", list_versions)
    list_reviews(sim, change)
    instance = Instance(work)
    instance.pin(sim.root_bytes)
    demand(instance, SECURITY)
    instance.install(sim.pack_anything(work.with_suffix(".tar")))
    size = (instance.store_path / "trust" / "current" / "targets.json").stat().st_size
    print(f"{work.name}: {len(sim.channel.release().reviews):,} statements, {size:,} bytes of targets")
    return work


def statements(sim: Any, good: Any, subjects: list[Any]) -> list[dict[str, Any]]:
    """One approval of each role for each version, as reviewers sign them one by one."""
    from support.release.reviews import signed

    return [
        signed(good._replace(role=role, subjects=(subject,)), sim.people[f"of-{role}"])
        for subject in subjects
        for role in ROLES
    ]


def loads(work: Path) -> bool:
    from sealift_common.names import ModelVersion
    from sealift_common.review.statement import Subject

    subjects = [
        Subject(ModelVersion.parse("toy", f"0.0.{number}"), f"sha256:{number:064x}") for number in range(1, 334)
    ]
    places = {}
    for name in ("one", "many"):
        sim = channel(work / f"channel-{name}")
        good = sim.say(sim.stage("1.0.0"), "security", "of-security").statement
        sim.release()
        more = statements(sim, good, subjects) if name == "many" else []
        places[name] = store(work / name, sim, more[: ENVELOPES - 1], subjects)
    kept = True
    for what, code, bounds, line in (("running", WARM, (1.5, 1.25), -1), ("cold", COLD, (1.35, 1.1), 0)):
        found: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(ROUNDS):
            for name, place in places.items():
                done = subprocess.run(
                    [instance_python(), "-c", code, str(place)], capture_output=True, text=True, check=True
                )
                found[name].append(float(done.stdout.split()[line]))
        # The least, because a busy machine shows in the others.
        one, many = (min(found[name]) for name in ("one", "many"))
        print(
            f"a load in a {what} process: {one:.2f} ms with 1 statement, {many:.2f} ms with {ENVELOPES:,}", flush=True
        )
        kept &= promise(f"load with 1,000 reviews, {what} process: with one", many / one, *bounds)
    return kept


def size(work: Path) -> bool:
    """The whole way: 2,000 versions are added, three reviewers approve each, release refuses, they gather, it releases."""
    from support.release.channel_simulator import renamed, toy_files
    from support.release.reviews import record, signed

    from sealift.errors import LimitError
    from sealift.limits import LIMITS
    from sealift_bundler.release.modelpack import Descriptor, write_model
    from sealift_common.names import ModelVersion
    from sealift_common.review.dsse import parse_envelope
    from sealift_common.review.statement import Subject
    from sealift_keys.ceremony.stating import gather
    from sealift_keys.channel.statements import keep_statement

    sim = channel(work / "channel")
    first = None
    for number in range(VERSIONS):
        model = ModelVersion.parse(f"model-{number % 40}", f"1.{number // 40}.0")
        described = renamed(toy_files(), model.name, str(model.version))["model.json"]
        files = {"REVIEW.json": record(model, "high"), "model.json": described, "model.onnx": str(model).encode()}
        blob = write_model(sim.channel.blobs_dir, model, files, Descriptor(title="one of many", licenses=["MIT"]))
        # Not by `stage`, which looks at all that waits, each time.
        sim.channel.stage(model, blob)
        first = first or sim.say(model, ROLES[0], f"of-{ROLES[0]}").statement
        contents = f"sha256:{_sha256(files['REVIEW.json'])}"
        for role in ROLES:
            said = first._replace(role=role, record=contents, subjects=(Subject(model, blob.digest),), serial=2)
            keep_statement(sim.directory, parse_envelope(signed(said, sim.people[f"of-{role}"]), "made"))
    try:
        sim.release()
    except LimitError as error:
        print(f"release: {error}")
    else:
        print("release took what instances cannot read   BROKEN")
        return False
    for role in ROLES:
        gather(sim.channel, role, sim.people[f"of-{role}"])
    sim.release()
    found = (sim.channel.tuf_dir / "targets.json").stat().st_size
    print(
        f"{VERSIONS:,} versions that {len(ROLES)} roles approved: {found:,} bytes of targets in "
        f"{len(sim.channel.release().reviews)} statements"
    )
    assert len(sim.channel.released()) == VERSIONS
    share = found / LIMITS.targets_size_bytes
    return promise(f"targets of {VERSIONS:,} approved versions: what instances read at most", share, SHARE)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


CASES = {"load": loads, "size": size}


def main() -> int:
    broken = []
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory(prefix="sealift-bench-") as work:
            if not CASES[name](Path(work)):
                broken.append(name)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
