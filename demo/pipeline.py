"""From events of a GitLab to a model without network, and back: training, a gate, an erasure, in one command.

    make pipeline-demo

Everything is written below `pipeline-demo-out/`. Exit status 1 as soon as a step does not go as it is told.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from isolation import find_isolation  # noqa: E402
from transcript import DeviationError, Place, Transcript  # noqa: E402

ROOT = HERE.parent
OUT = ROOT / "pipeline-demo-out"
BIN = Path(sys.executable).parent
GITLAB = f"python {HERE / 'gitlab.py'}"
CODE = """\
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

SPACE = {"C": {"low": 0.01, "high": 10.0, "log": True}, "min_df": [2, 5]}


def rows(events):
    table = events.to_pydict()
    labels = ["bug" if "type::bug" in one else "feature" for one in table["labels"]]
    return table["title"], labels, table["id"]


def build(params, seed):
    words = CountVectorizer(min_df=params["min_df"])
    return make_pipeline(words, LogisticRegression(C=params["C"], random_state=seed))
"""
TOML = """\
format = 1
name = "triage"
kind = "issue"
code = "triage.py"
lock = "requirements.lock"
channel = "channel"
title = "Bug or feature, by the title of an issue"
licenses = ["MIT"]
answers = "review.toml"

[search]
trials = 8
batch = 4

[gate]
slices = ["label"]
"""

ANSWERS = """\
schema = "sealift.review/1"
risk = "limited"
[use]
purpose = "Proposes for a new issue whether it is a bug or a feature."
users = ["maintainers"]
decision = "advises"
security_model = false
out_of_scope = ["closing issues without a person"]
[[datasets]]
name = "issues of the demo, landed by the pipeline"
owner = "the triage team"
classification = "public"
personal_data = false
license = "MIT"
private_projects = false
[preprocessing]
steps = ["titles without mentions, addresses and tokens"]
anonymization = "persons are pseudonyms; what identifies them in texts is a constant"
min_document_frequency = 2
[licenses]
model = "MIT"
data = ["MIT"]
[export]
control = "none applies"
[evaluation]
metrics = {right = 0.9}
slices = [{name = "bugs", right = 0.9}]
[abuse]
atlas = ["AML.T0015"]
mitigation = "a maintainer decides"
[limits]
known = ["titles about what was not there before"]
[golden]
source = "generated"
"""
POLICY = """\
schema = "sealift.policy/1"
[require]
roles = ["security", "legal"]
"""
REVIEWERS = ("security", "legal")


def main() -> int:
    """Tell the story."""
    if OUT.exists():
        shutil.rmtree(OUT)
    (OUT / "instance" / "home").mkdir(parents=True)
    story = Transcript()
    try:
        work, instance = places()
        with receiving(story, work) as address:
            first_version(story, work, instance, address)
            second_version(story, work, instance, address)
            somebody_leaves(story, work, address)
        worse(story, work)
    except DeviationError as error:
        story.fail(error)
        return 1
    story.end()
    return 0


def places() -> tuple[Place, Place]:
    """Give the machine that trains, and one without a network."""
    ours = ("SEALIFT_", "PYTHON", "SOURCE_DATE_EPOCH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    path = f"{BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    work = Place("training", OUT, {**kept, "PATH": path, "SEALIFT_PASSPHRASE": secrets.token_hex(16)})
    directory = OUT / "instance"
    inside = {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(directory / "home"),
        "LANG": "C.UTF-8",
        "SEALIFT_STORE": str(directory / "store"),
        "SEALIFT_TRUST": str(directory / "etc"),
    }
    isolation = find_isolation(ROOT / "tests" / "support" / "machine" / "no_internet.py")
    return work, Place("instance", directory, inside, isolation.wrapper)


@contextmanager
def receiving(story: Transcript, work: Place) -> Iterator[str]:
    """Make a pipeline and listen for events; give the address."""
    story.part("Events: received, protected, landed")
    story.step("A pipeline is a folder: settings, a data policy, secrets, and later the data.")
    story.run(work, "sealift-pipeline init events --listen 127.0.0.1:0", contains="made the pipeline")
    story.step("The receiver listens for the hook of a GitLab.")
    story.say("$ sealift-pipeline receive --pipeline events &")
    said = OUT / "receiver.log"
    with said.open("wb") as output:
        server = subprocess.Popen(
            ["sealift-pipeline", "receive", "--pipeline", "events"],
            cwd=OUT,
            env=dict(work.environment),
            stdout=output,
            stderr=output,
        )
    try:
        yield _address(said)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _address(said: Path) -> str:
    for _ in range(600):
        for word in said.read_text("utf-8").split():
            host, _, port = word.strip(".,;").removeprefix("http://").rpartition(":")
            if host == "127.0.0.1" and port.isdigit():
                return f"{host}:{port}"
        time.sleep(0.1)
    raise DeviationError(f"the receiver does not listen: {said.read_text('utf-8')}")


def _land(story: Transcript, work: Place, address: str, arguments: str, shown: str) -> None:
    story.run(work, f"{GITLAB} {address} events/hook.token {arguments}", shown=f"python demo/gitlab.py … {shown}")
    story.run(work, "sealift-pipeline land --once --pipeline events", contains="landed")


def first_version(story: Transcript, work: Place, instance: Place, address: str) -> None:
    """Train, release and install the first version."""
    story.step("5,000 events arrive, and land in a table; texts without mentions and mail addresses.")
    _land(story, work, address, "--number 5000", "--number 5000")
    story.run(work, "sealift-pipeline snapshot issue --pipeline events", contains="5,000 rows")
    story.part("A model: tuned, gated, converted with proof, staged")
    (OUT / "triage.py").write_text(CODE, "utf-8")
    (OUT / "triage.toml").write_text(TOML, "utf-8")
    shutil.copyfile(ROOT / "requirements" / "dev.lock", OUT / "requirements.lock")
    story.step("Its project: one Python file, one TOML, the lock file of the environment.")
    story.run(work, "cat triage.py")
    story.run(work, "sealift-keys new key.pem", quiet=True)
    story.run(work, "sealift-keys init channel --name triage-models --key key.pem", quiet=True)
    _name_reviewers(story, work)
    story.step("One command does the rest. A first version has to beat the most frequent label.")
    retrain = "sealift-pipeline retrain triage.toml --pipeline events --workers 2"
    story.run(work, retrain, contains="staged triage 1.0.0")
    story.step("Again, with the same inputs: nothing is trained.")
    story.run(work, retrain, contains="unchanged triage 1.0.0")
    story.part("Reviewed, released, installed without a network")
    story.step("Without the reviewers nothing is released.")
    story.run(work, "sealift-bundler release --channel channel --key key.pem", status=61, contains="[unapproved]")
    _release(story, work, "1.0.0", 2)
    story.run(work, "cp triage-models-2.tar channel/tuf/1.root.json instance/")
    story.step("The instance has no network, and a policy: both roles must have approved.")
    story.run(instance, "sealift trust init 1.root.json", quiet=True)
    (OUT / "instance" / "policy.toml").write_text(POLICY, "utf-8")
    story.run(instance, "cat policy.toml")
    story.run(instance, "sealift policy set policy.toml")
    story.run(instance, "sealift install triage-models-2.tar", contains="triage")
    _ask(story, instance, "the pipeline fails again", "bug")
    _ask(story, instance, "the board should support search", "feature")


def _name_reviewers(story: Transcript, work: Place) -> None:
    story.step(
        "Security and legal review what leaves, each with a key. The author answers the channel's questionnaire."
    )
    story.run(work, "sealift-bundler review questionnaire --channel channel", quiet=True)
    for role in REVIEWERS:
        story.run(work, f"sealift-keys new {role}.pem", quiet=True)
        story.run(work, f"sealift-keys reviewer channel --role {role} --add {role}.pem.pub --key key.pem")
    (OUT / "review.toml").write_text(ANSWERS, "utf-8")


def _release(story: Transcript, work: Place, version: str, number: int) -> None:
    story.step("Reviewers look at the dossier of the version, and each approves exactly these bytes.")
    story.run(work, f"sealift-bundler dossier channel triage:{version} -o dossiers", contains="missing: ")
    digest = _staged_digest(version)
    for role in REVIEWERS:
        approve = f"sealift-keys review channel triage {version} --role {role} --approve --digest {digest}"
        story.run(work, f"{approve} --key {role}.pem", contains="approved")
    story.step("A person looks at what would leave, and releases it.")
    story.run(work, "sealift-bundler preview --channel channel", contains="1 new")
    story.run(work, "sealift-bundler release --channel channel --key key.pem")
    story.run(work, f"sealift-bundler pack --channel channel -o triage-models-{number}.tar", quiet=True)


def _staged_digest(version: str) -> str:
    staged = json.loads((OUT / "channel" / "staged" / "triage" / f"{version}.json").read_bytes())
    return str(staged["digest"])


def _ask(story: Transcript, instance: Place, title: str, answer: str) -> None:
    (OUT / "instance" / "title.txt").write_text(title + "\n", "utf-8")
    story.say(title)
    story.run(instance, "sealift predict triage --input title.txt", contains=answer)


def second_version(story: Transcript, work: Place, instance: Place, address: str) -> None:
    """Train on newer events, which have words of their own."""
    story.part("2,000 newer events, about something new")
    story.step("The next 2,000 events talk about what nobody wrote about before.")
    _land(story, work, address, "--first 5001 --number 2000 --newer", "--first 5001 --number 2000 --newer")
    story.run(work, "sealift-pipeline drift triage.toml --pipeline events", contains="unseen_words")
    story.step("Retrained because it is needed; compared with the released version on rows that neither saw.")
    command = "sealift-pipeline retrain triage.toml --if-needed --pipeline events --workers 2"
    story.run(work, command, contains="staged triage 1.1.0")
    story.say(f"page of the run: {OUT / 'events' / 'runs' / 'triage' / 'run.html'}")
    _release(story, work, "1.1.0", 3)
    story.step("From the bundle back to every row, without a network.")
    offline = Place("training", work.directory, work.environment, instance.wrapper)
    story.run(
        offline,
        "sealift-pipeline verify triage-models-3.tar --root channel/tuf/1.root.json --pipeline events",
        contains="7,000 rows",
    )
    story.run(work, "cp triage-models-3.tar instance/")
    story.run(instance, "sealift install triage-models-3.tar", contains="triage")
    story.step("Who approved it? The signed statements came with the bundle.")
    story.run(instance, "sealift review triage", contains="legal")
    _ask(story, instance, "the agent hallucinates again", "bug")


def somebody_leaves(story: Transcript, work: Place, address: str) -> None:
    """Erase a user who was removed."""
    story.part("A user is removed from GitLab")
    story.step("The event names who; the erasure removes the rows, and names the models that saw them.")
    _land(story, work, address, "--destroy 12", "--destroy 12")
    story.run(work, "sealift-pipeline erase --pending --pipeline events", contains="event 7001")
    said = story.run(
        work, "sealift-pipeline erase --pending --apply --request PRIVACY-31 --pipeline events", contains="erased"
    )
    named = [version for version in ("1.0.0", "1.1.0") if f"triage {version}, released in" in said]
    story.check("both released versions are named, for both saw rows of the user", holds=named == ["1.0.0", "1.1.0"])


def worse(story: Transcript, work: Place) -> None:
    """Refuse a challenger that is worse."""
    story.part("A worse challenger")
    story.step("Somebody lets the model see one word alone. It is refused, and nothing is staged.")
    (OUT / "triage.py").write_text(CODE.replace("CountVectorizer(", "CountVectorizer(max_features=1, "), "utf-8")
    story.run(
        work,
        "sealift-pipeline retrain triage.toml --pipeline events --workers 2",
        status=78,
        # Rows of the champion were erased, so one that is no worse is enough.
        contains="was not staged: may be worse",
    )
    staged = list((OUT / "channel" / "staged").glob("*/*.json"))
    story.check("nothing is staged", holds=not staged)
    run = json.loads((OUT / "events" / "runs" / "triage" / "run.json").read_bytes())
    story.check("the run says why", holds=not run["gate"]["passed"])


if __name__ == "__main__":
    sys.exit(main())
