"""`docker run` for the pages, without an engine: what it refuses to understand fails; see containers.py."""

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.machine.containers import DOCKERFILE, Volume, stages, start


def volume(text: str) -> Volume:
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    kind, source, target = fields.pop("type"), Path(fields.pop("source")), fields.pop("target")
    read_only = "readonly" in fields
    fields.pop("readonly", None)
    if kind != "bind" or fields or not source.exists():
        # Docker refuses a bind mount of what does not exist, too.
        sys.exit(f"docker: bad mount {text!r}")
    return Volume(source, target, read_only)


def main() -> int:
    parser = argparse.ArgumentParser(prog="docker run", allow_abbrev=False)
    # Each is what a stand-in container is in any case, so a page has to ask for all of them.
    for name in ("--rm", "--read-only"):
        parser.add_argument(name, action="store_true", required=True)
    parser.add_argument("--network", choices=["none"], required=True)
    parser.add_argument("--cap-drop", choices=["ALL"], required=True)
    parser.add_argument("--security-opt", choices=["no-new-privileges"], required=True)
    parser.add_argument("--tmpfs", choices=["/tmp"])  # noqa: S108
    parser.add_argument("--mount", type=volume, action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--entrypoint")
    parser.add_argument("image", choices=sorted(stages()))
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    if sys.argv[1:2] != ["run"]:
        sys.exit("docker: this stand-in only runs")
    given = parser.parse_args(sys.argv[2:])
    image = stages()[given.image]
    entrypoint = image.entrypoint if given.entrypoint is None else (given.entrypoint,)
    copied = {target: DOCKERFILE.parent / source for source, target in image.copies if not source.startswith("--from")}
    process = start(
        [*entrypoint, *(given.arguments or image.arguments)],
        given.mount,
        user=image.user,
        environment={**image.environment, **dict(item.partition("=")[::2] for item in given.env)},
        files={target: source for target, source in copied.items() if source.is_file()},
        temporary=given.tmpfs is not None,
        stdin=sys.stdin.fileno(),
    )
    output, errors = process.communicate()
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"docker: {error}")
