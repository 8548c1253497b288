"""The whole story in one command: three real models cross an air gap, and tampering is refused.

    make demo

Everything is written below `demo-out/`: `release/` is the connected side, `instance/` the side without a
network. Exit status 1 as soon as a step does not go as it is told.
"""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from isolation import Isolation, find_isolation  # noqa: E402
from packages import write_application_lock  # noqa: E402
from reviewing import review  # noqa: E402
from transcript import DeviationError, Place, Transcript  # noqa: E402

ROOT = HERE.parent
OUT = ROOT / "demo-out"
BIN = Path(sys.executable).parent
MODELS = ("drive-wheels", "rude-comments", "file-type")


def main() -> int:
    """Tell the story."""
    if OUT.exists():
        shutil.rmtree(OUT)
    (OUT / "release").mkdir(parents=True)
    (OUT / "instance" / "home").mkdir(parents=True)
    story = Transcript()
    try:
        release, isolation = release_side(), find_isolation(ROOT / "tests" / "support" / "machine" / "no_internet.py")
        instance = instance_side(isolation)
        fingerprint = build(story, release)
        carry(story, release)
        set_up(story, instance, isolation)
        install(story, instance, fingerprint)
        use(story, instance)
        attack(story, release, instance)
        go_back(story, instance)
        serve(story, instance)
        review(story, release, instance)
    except DeviationError as error:
        story.fail(error)
        return 1
    story.end()
    return 0


def release_side() -> Place:
    """Give the connected machine of the release engineer and the approver."""
    ours = ("SEALIFT_", "PYTHON", "SOURCE_DATE_EPOCH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environment = {
        **kept,
        "PATH": f"{BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        # In real life each is typed by its owner, on another machine.
        "SEALIFT_PASSPHRASE_BUILDER": secrets.token_hex(16),
        **{f"SEALIFT_PASSPHRASE_{name}": secrets.token_hex(16) for name in ("APPROVER", "SECURITY", "LEGAL")},
    }
    return Place("release", OUT / "release", environment)


def instance_side(isolation: Isolation) -> Place:
    """Give the machine without internet; nothing of this repository's environment reaches it."""
    directory = OUT / "instance"
    environment = {
        "PATH": f"{directory / 'venv' / 'bin'}:/usr/bin:/bin",
        "HOME": str(directory / "home"),
        "LANG": "C.UTF-8",
        "SEALIFT_STORE": str(directory / "store"),
        "SEALIFT_TRUST": str(directory / "etc"),
    }
    return Place("instance", directory, environment, isolation.wrapper)


def build(story: Transcript, release: Place) -> str:
    """Tell the release side; return the root's fingerprint as it is published out of band."""
    story.part("Release side: convert, prove, sign, pack")
    story.step("Real models: one trained now on a public table, two that other people trained and published.")
    command = f"python {HERE / 'inputs.py'} models ../instance/application"
    story.run(release, command, shown="python demo/inputs.py models ../instance/application")
    story.run(release, "cat models/drive-wheels/recipe-1.0.0.toml")
    story.step("Two people get a key each. Key files are encrypted; passphrases come from the environment here.")
    (release.directory / "keys").mkdir()
    for owner in ("builder", "approver"):
        story.run(release, f"sealift-keys new keys/{owner}.pem")
    story.step("A channel: releases need the signatures of both people, and so does changing who may sign.")
    public = "keys/builder.pem.pub"
    both = f"{public} --{{role}}-key keys/approver.pem.pub --{{role}}-threshold 2"
    story.run(
        release,
        "sealift-keys init channel --name gitlab-models"
        f" --root-key {both.format(role='root')} --targets-key {both.format(role='targets')}"
        f" --snapshot-key {public} --timestamp-key {public} --key keys/builder.pem --key keys/approver.pem",
    )
    state = json.loads(story.run(release, "sealift-keys status channel --json", quiet=True))
    story.step("Each model becomes ONNX, proven against its original: labels and scores, on samples and edge rows.")
    for recipe in ("drive-wheels/recipe-1.0.0", "rude-comments/recipe", "file-type/recipe"):
        story.run(release, f"sealift-bundler add models/{recipe}.toml --channel channel", contains="added")
    story.step("The builder makes the release and signs it.")
    command = "sealift-bundler release --channel channel --key keys/builder.pem"
    story.run(release, command, contains="waiting for 'approver'")
    story.step("Packing is refused: the approver has not signed.")
    story.run(release, "sealift-bundler pack --channel channel -o .", status=54, contains="approver")
    story.step("The approver looks at what the release changes, and signs exactly that.")
    seen = story.run(release, "sealift-bundler preview --channel channel", contains="3 new").splitlines()[-1]
    story.run(release, f"sealift-keys sign channel --key keys/approver.pem --expect {seen}")
    story.step("Now the release becomes one file, which is verified with the code that an instance runs.")
    story.run(release, "sealift-bundler pack --channel channel -o .", contains="verified as an instance would")
    return str(state["root_fingerprint"])


def carry(story: Transcript, release: Place) -> None:
    """Put onto the stick what crosses the gap."""
    story.part("The stick: what is carried in")
    story.step("The bundle, and once per instance the channel's root and Sealift itself as wheels.")
    story.run(release, "cp gitlab-models-2.tar channel/tuf/1.root.json ../instance/")
    for name in ("app.py", "plain_onnxruntime.py", "other_language.py", "ask.rb", "ask.mjs"):
        shutil.copyfile(HERE / name, OUT / "instance" / "application" / name)
    wheels = OUT / "instance" / "wheels"
    story.run(
        release,
        f"pip wheel -qqq --no-deps --no-build-isolation --wheel-dir {wheels} {ROOT}",
        shown="pip wheel --no-deps --wheel-dir ../instance/wheels sealift",
    )
    lock = OUT / "release" / "application.lock"
    write_application_lock(ROOT / "requirements", lock)
    story.run(
        release,
        f"pip download -qqq --require-hashes --only-binary :all: --dest {wheels}"
        f" -r {ROOT / 'requirements' / 'base.lock'} -r {lock}",
        shown="pip download --require-hashes --dest ../instance/wheels -r requirements/base.lock -r application.lock",
    )


def set_up(story: Transcript, instance: Place, isolation: Isolation) -> None:
    """Install Sealift on the instance, and show that there is no network."""
    story.part("Instance: a machine without internet")
    for line in isolation.explanation:
        story.say(line)
    if isolation.namespace:
        story.step("This side has a network namespace of its own; there is no interface but a loopback that is down.")
        story.run(instance, "cat /proc/net/dev")
    if isolation.filtered:
        story.step("And the kernel kills any process that opens an internet socket. To see that the guard is awake:")
        knock = [*instance.wrapper, sys.executable, "-c", "import socket; socket.socket()"]
        killed = subprocess.run(knock, check=False, stderr=subprocess.DEVNULL).returncode
        story.check(
            "python3 -c 'import socket; socket.socket()' was killed with SIGSYS", holds=killed in (-31, 128 + 31)
        )
    story.step(
        "Sealift is installed from the carried wheels: the base install, the server, and pandas for the application."
    )
    if isolation.namespace:
        story.say("(pip looks for IPv6 by opening a socket, so it alone runs in the namespace without the filter.)")
    quiet = Place(instance.prompt, instance.directory, instance.environment, isolation.namespace)
    story.run(quiet, f"{sys.executable} -m venv venv", shown="python3 -m venv venv")
    story.run(
        quiet,
        "python -m pip install -q --disable-pip-version-check --no-index --find-links wheels sealift[serve] pandas",
        shown="pip install --no-index --find-links wheels 'sealift[serve]' pandas",
    )
    code = "from importlib.metadata import distributions as d; print(*sorted({x.name for x in d()}))"
    listed = story.run(instance, f'python -c "{code}"', contains="sealift")
    names = set(listed.split())
    story.check(
        "neither onnx nor scikit-learn is here", holds=not names & {"onnx", "scikit-learn", "skl2onnx", "magika"}
    )


def install(story: Transcript, instance: Place, fingerprint: str) -> None:
    """Pin, verify, install."""
    story.part("Instance: verify and install")
    story.step("The admin pins the channel's root once, and compares the fingerprint with the published one.")
    shown = story.run(instance, "sealift trust init 1.root.json")
    story.check(
        "the fingerprint is the one that the release side published", holds=fingerprint in shown.replace(" ", "")
    )
    story.step("Would this bundle be accepted? Every signature and every byte is checked; nothing changes.")
    story.run(instance, "sealift verify gitlab-models-2.tar", contains="accepted")
    story.step("One command installs: verify everything, replay recorded examples of every model, then switch at once.")
    story.run(instance, "sealift install gitlab-models-2.tar", contains="is active as generation 1")
    story.step("What does this instance run, and how old is it?")
    story.run(instance, "sealift status", contains="newest      bundle 2")


def use(story: Transcript, instance: Place) -> None:
    """Use the models from the shell, from Python, and without Sealift."""
    story.part("Instance: use the models")
    story.step("From the shell: three cars, with probabilities, and two comments.")
    story.run(instance, "sealift predict drive-wheels --input application/rows/three-cars.csv --proba")
    story.run(instance, "cat application/rows/two-comments.txt")
    story.run(instance, "sealift predict rude-comments --input application/rows/two-comments.txt")
    story.step("From application code: every held-back row, compared with what the original models answered.")
    story.run(instance, "python application/app.py", contains="agree with the original")
    story.step("From a program that knows nothing of Sealift: bare onnxruntime and a path that stays the same.")
    command = "python application/plain_onnxruntime.py store"
    story.run(instance, command, contains="modules of Sealift in this process: none")


def attack(story: Transcript, release: Place, instance: Place) -> None:
    """Show what is refused, and that a refusal changes nothing."""
    story.part("Instance: what is refused")
    before = snapshot(OUT / "instance" / "store")
    story.step("A tampered copy: one bit is flipped in the middle of the file.")
    data = bytearray((instance.directory / "gitlab-models-2.tar").read_bytes())
    position = len(data) // 2
    data[position] ^= 1
    (instance.directory / "tampered.tar").write_bytes(data)
    story.say(f"tampered.tar is gitlab-models-2.tar with bit 0 of byte {position:,} of {len(data):,} flipped")
    story.run(instance, "sealift install tampered.tar", status=26, contains="[digest]")
    story.check("the store is as it was, file by file", holds=snapshot(OUT / "instance" / "store") == before)
    story.step("Meanwhile the release side publishes drive-wheels 1.1.0, and the admin installs it.")
    story.run(release, "sealift-bundler add models/drive-wheels/recipe-1.1.0.toml --channel channel", contains="added")
    keys = "--key keys/builder.pem --key keys/approver.pem"
    story.run(release, f"sealift-bundler release --channel channel {keys}", contains="made release 3")
    story.run(release, "sealift-bundler pack --channel channel -o ../instance/", contains="verified as an instance")
    story.run(instance, "sealift install gitlab-models-3.tar", contains="is active as generation 2")
    before = snapshot(OUT / "instance" / "store")
    story.step("The older bundle is genuine, and refused all the same: somebody may want an old weakness back.")
    story.run(instance, "sealift install gitlab-models-2.tar", status=25, contains="[rollback]")
    story.check("the store is as it was, file by file", holds=snapshot(OUT / "instance" / "store") == before)


def go_back(story: Transcript, instance: Place) -> None:
    """Roll one model back, on purpose."""
    story.part("Instance: go back, on purpose")
    story.step("An admin may return to an installed version at any time; what is trusted stays as new as it is.")
    story.run(instance, "sealift rollback drive-wheels", contains="active drive-wheels 1.0.0")
    story.run(instance, "python application/app.py", contains="drive-wheels 1.0.0")
    story.step("Who did what, when, and on whose signatures?")
    story.run(instance, "sealift history", contains="rollback")


def serve(story: Transcript, instance: Place) -> None:
    """Let an application in another language ask, over a socket."""
    story.part("Instance: applications that are not Python")
    story.step("A server verifies the models, and answers over a Unix socket; every recorded example is posted to it.")
    story.run(instance, "python application/other_language.py", contains="0 differences")


def snapshot(store: Path) -> dict[str, str]:
    """Fingerprint everything in the store; the lock file may hold another process number."""
    found = {}
    for path in sorted(store.rglob("*")):
        if path.is_symlink():
            found[str(path)] = str(path.readlink())
        elif path.is_file() and path.name != "lock":
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


if __name__ == "__main__":
    sys.exit(main())
