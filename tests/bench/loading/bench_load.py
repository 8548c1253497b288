"""Promises about loading: verified, and nearly as fast as bare ONNX Runtime, which verifies nothing.

Every measurement is a process of its own; ours and theirs alternate, and medians are compared. Both run in an
environment as an instance has it: the base lock file, with byte code, without what only developers install. Files are
in the page cache for both.

    python tests/bench/loading/bench_load.py [CASE...]
"""

import atexit
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench import bundles
from bench.measuring import FEW_ROUNDS, ROUNDS, instance_python
from bench.promises import promise

BIG_BYTES = 8 * 256 * 1024 * 1024
WORKERS = 8

CHILD = r"""
import json, re, sys, time
from pathlib import Path
case, who, place, name = sys.argv[1:]
began = time.perf_counter()
import os
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np
def memory(key, file="status"):
    return int(re.search(rf"^{key}:\s+(\d+)", Path(f"/proc/self/{file}").read_text(), re.M)[1]) / 1024
if who == "sealift":
    from sealift.store import Store
    if case != "cold":
        # All code, as theirs is imported before the clock starts; a cold process imports what its model needs.
        import sealift.model.model, sealift.model.runtime.onnx, sealift.model.runtime.external_data
    store = Store(Path(place) / "store", trust=Path(place) / "etc")
elif who in ("onnxruntime", "python-tuf"):
    import onnxruntime
else:
    import joblib
imported, before = time.perf_counter(), memory("VmHWM")
if who == "sealift":
    model = store.load(name)
    run = model.session.run
elif who in ("onnxruntime", "python-tuf"):
    if who == "python-tuf":
        # The least that anybody pays who checks one signature with the library that we check it with.
        from tuf.api.metadata import Metadata
        root = Metadata.from_file(str(Path(place) / "etc/root.json"))
        targets = Metadata.from_file(str(Path(place) / "store/trust/1/targets.json"))
        root.signed.verify_delegate("targets", targets.signed_bytes, targets.signatures)
    folder = Path(place) / "bare" / name
    file = folder / "single.onnx" if (folder / "single.onnx").exists() else folder / "model.onnx"
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    run = session.run
loaded = time.perf_counter()
if case == "cold":
    if who == "sealift":
        model.predict(np.zeros((1, 4), np.float32))
    elif who in ("onnxruntime", "python-tuf"):
        run(None, {session.get_inputs()[0].name: np.zeros((1, 4), np.float32)})
    else:
        joblib.load(Path(place) / "model.joblib").predict(np.zeros((1, 4), np.float32))
elif case == "big":
    for start in range(0, 65536, 4096):  # every page of every shard
        run(None, {"index": np.arange(start, start + 4096)})
elif case in ("encoder", "workers"):
    run(None, {key: np.ones((1, 16), np.int64) for key in ("input_ids", "attention_mask")})
done = time.perf_counter()
said = {"load": loaded - imported, "use": done - imported, "all": done - began, "peak": memory("VmHWM"), "before": before}
if case == "workers":
    print("ready", flush=True)
    sys.stdin.readline()
    said["pss"] = memory("Pss", "smaps_rollup")
    # Sealed memory that is not mapped in yet is memory all the same.
    ranges = re.findall(r"^(\w+)-(\w+) .*memfd:sealift", Path("/proc/self/maps").read_text(), re.M)
    sealed = sum(int(end, 16) - int(start, 16) for start, end in ranges) / 2**20
    said["all pss"] = said["pss"] - memory("Pss_Shmem", "smaps_rollup") + sealed
print(json.dumps(said), flush=True)
if case == "workers":
    sys.stdin.readline()
"""


def store(work: Path, models: dict[str, dict[str, bytes]]) -> Path:
    """Install models in a new store; the bare files lie next to it."""
    from support.release.channel_simulator import ChannelSimulator
    from support.release.instance import Instance

    channel, instance = ChannelSimulator(work / "channel"), Instance(work)
    instance.pin(channel.root_bytes)
    for name, files in models.items():
        channel.add(name, "1.0.0", files)
    channel.release()
    instance.install(channel.pack_anything(work / "x.tar"))
    (work / "x.tar").unlink()
    shutil.rmtree(work / "channel")
    for name in models:
        (work / "bare").mkdir(exist_ok=True)
        (work / "bare" / name).symlink_to(work / "store/models" / name / "1.0.0")
    return work


def child(case: str, who: str, place: Path, name: str) -> tuple[list[str], dict[str, str]]:
    """Return the command of one measurement, and its environment."""
    python = sys.executable if who == "scikit-learn" else str(instance_python())
    # Some workplaces forbid byte code; then every start would compile us again, and nobody else.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return [python, "-c", CHILD, case, who, str(place), name], environment


def run(case: str, who: str, place: Path, name: str) -> dict[str, float]:
    command, environment = child(case, who, place, name)
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    said = json.loads(done.stdout)
    return said | {"process": time.perf_counter() - started}


def medians(case: str, places: dict[str, tuple[str, Path, str]], rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, float]]] = {label: [] for label in places}
    for number in range(rounds + 1):
        for label, (who, place, name) in places.items():
            result = run(case, who, place, name)
            if number:  # the first fills the page cache and writes byte code
                found[label].append(result)
    return {
        label: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for label, runs in found.items()
    }


def judge(what: str, ours: float, theirs: float, most: float, unit: str, aim: float | None = None) -> bool:
    """Print one line; return whether the promise is kept. An aim is what we want and do not promise yet."""
    ratio = ours / theirs
    kept = ratio <= most
    mark = ("" if kept else "   BROKEN") + (f"   (aim {aim:.2f})" if aim else "")
    print(f"{what:58} {ours:9.1f} {theirs:9.1f} {unit:2}  {ratio:5.2f}  {most:5.2f}{mark}", flush=True)
    promise(what, ratio, most, aim)
    return kept


def cold(work: Path) -> bool:
    import joblib
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from support.release.channel_simulator import renamed, toy_files

    store(work, {"toy": renamed(toy_files(), "toy", "1.0.0")})
    rows = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    joblib.dump(LogisticRegression().fit(rows, rows[:, 0] > 0), work / "model.joblib")
    kinds = ("sealift", "onnxruntime", "python-tuf", "scikit-learn")
    found = medians("cold", {who: (who, work, "toy") for who in kinds})
    ours, bare, checked, original = (found[who]["process"] * 1000 for who in kinds)
    kept = judge("cold process, 1 KB pipeline, first answer: onnxruntime", ours, bare, 1.75, "ms", aim=1.40)
    kept = judge("   onnxruntime and one signature by python-tuf", ours, checked, 1.20, "ms", aim=1.10) and kept
    return judge("cold process, 1 KB pipeline, first answer: scikit-learn", ours, original, 0.35, "ms") and kept


def forest(work: Path) -> bool:
    from bench.making import bench_convert

    from sealift_bundler import convert

    model, rows = bench_convert.forest()
    store(work, {"forest": dict(convert(model, rows, name="forest", version="1.0.0").files)})
    found = medians("forest", {who: (who, work, "forest") for who in ("sealift", "onnxruntime")})
    return _time_and_peak("500-tree forest (10 MB)", found, 1.15, 1.02, aim=1.08)


def _time_and_peak(
    what: str, found: dict[str, dict[str, float]], time_most: float, peak_most: float, aim: float
) -> bool:
    ours, bare = found["sealift"], found["onnxruntime"]
    kept = judge(f"{what}: load", ours["load"] * 1000, bare["load"] * 1000, time_most, "ms", aim)
    grown = [result["peak"] - result["before"] for result in (ours, bare)]
    kept = judge(f"{what}: peak memory after imports", *grown, peak_most, "MB") and kept
    _tell("   the whole process, no promise", ours["peak"], bare["peak"], "MB")
    return kept


def _tell(what: str, ours: float, theirs: float, unit: str) -> None:
    print(f"{what:58} {ours:9.1f} {theirs:9.1f} {unit:2}  {ours / theirs:5.2f}", flush=True)


@functools.cache
def encoder_store() -> Path:
    """Make a store with the encoder, once for both cases."""
    work = Path(tempfile.mkdtemp(prefix="sealift-bench-"))
    atexit.register(shutil.rmtree, work)
    from bench.answering import encoder

    packed, single = encoder.files("encoder", "1.0.0")
    store(work, {"encoder": packed})
    (work / "bare/encoder").unlink()
    (work / "bare/encoder").mkdir()
    (work / "bare/encoder/single.onnx").write_bytes(single)
    return work


def encoder(_: Path) -> bool:
    found = medians("encoder", {who: (who, encoder_store(), "encoder") for who in ("sealift", "onnxruntime")})
    return _time_and_peak("91 MB encoder, theirs in one file", found, 1.2, 1.1, aim=1.0)


def workers(_: Path) -> bool:
    totals = {}
    for who in ("sealift", "onnxruntime"):
        children = []
        for _ in range(WORKERS):
            command, environment = child("workers", who, encoder_store(), "encoder")
            pipe = subprocess.PIPE
            worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
            assert worker.stdout.readline() == "ready\n"
            children.append(worker)
        found = []
        for worker in children:
            worker.stdin.write("\n")
            worker.stdin.flush()
            found.append(json.loads(worker.stdout.readline()))
        for worker in children:
            worker.communicate("\n")
        totals[who] = {key: sum(said[key] for said in found) for key in ("pss", "all pss")}
    ours, bare = (totals[who] for who in ("sealift", "onnxruntime"))
    _tell("   without sealed memory that is not mapped in, no promise", ours["pss"], bare["pss"], "MB")
    what = f"{WORKERS} processes with the encoder: proportional memory"
    return judge(what, ours["all pss"], bare["all pss"], 1.25, "MB", aim=1.0)


def big(work: Path) -> bool:
    from support.release import big_model

    files = big_model.write(work / "made", "big", "1.0.0", BIG_BYTES)
    store(work, {"big": {name: path.read_bytes() for name, path in files.items()}})
    shutil.rmtree(work / "made")
    places = {who: (who, work, "big") for who in ("sealift", "onnxruntime")}
    found = medians("big", places, rounds=FEW_ROUNDS)
    ours, bare = found["sealift"], found["onnxruntime"]
    kept = judge("2 GB of weights: load and first use", ours["use"] * 1000, bare["use"] * 1000, 3.37, "ms", aim=2.7)
    kept = judge("2 GB of weights: peak memory", ours["peak"], bare["peak"], 1.1, "MB") and kept
    _tell("   load alone, theirs only maps, no promise", ours["load"] * 1000, bare["load"] * 1000, "ms")
    return kept


def many(work: Path) -> bool:
    from support.release.instance import Instance

    one_model = bundles.Made(work / "one.tar", work / "one.root.json")
    bundles.make(work / "one", 1, one_model)
    places = {}
    for count, made in ((1, one_model), (bundles.MODELS, bundles.thousand_models(work))):
        (work / str(count)).mkdir()
        instance = Instance(work / str(count))
        instance.pin(made.root.read_bytes())
        instance.install(made.bundle)
        places[str(count)] = ("sealift", work / str(count), bundles.name_of(0))
    code = (
        "import json,statistics,sys,time\nfrom pathlib import Path\nfrom sealift.store import Store\n"
        "s=Store(Path(sys.argv[1])/'store',trust=Path(sys.argv[1])/'etc')\ns.load('model-0000')\nt=[]\n"
        "for _ in range(40):\n a=time.perf_counter(); s.load('model-0000'); t.append(time.perf_counter()-a)\n"
        "print(statistics.median(t))"
    )
    warm: dict[str, list[float]] = {label: [] for label in places}
    for _ in range(ROUNDS):
        for label, (_, place, _) in places.items():
            done = subprocess.run(
                [instance_python(), "-c", code, str(place)], capture_output=True, text=True, check=True
            )
            warm[label].append(float(done.stdout))
    # Two milliseconds: the least of the medians, because a busy machine shows in the others.
    one, all_of_them = (min(warm[str(count)]) * 1000 for count in (1, bundles.MODELS))
    kept = judge(
        f"one of {bundles.MODELS:,} models, loaded in a running process", all_of_them, one, 1.15, "ms", aim=1.05
    )
    found = medians("cold", places)
    first, last = (found[str(count)]["process"] * 1000 for count in (1, bundles.MODELS))
    return judge(f"one of {bundles.MODELS:,} models, cold process", last, first, 1.25, "ms", aim=1.05) and kept


CASES = {case.__name__: case for case in (cold, forest, encoder, workers, big, many)}


def main() -> int:
    print(f"{'':58} {'sealift':>9} {'theirs':>9}     ratio   most")
    broken = []
    for name in sys.argv[1:] or CASES:
        with tempfile.TemporaryDirectory(prefix="sealift-bench-") as work:
            if not CASES[name](Path(work)):
                broken.append(name)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
