"""Write docs/reference/commands.md from the commands themselves; `--check` only compares."""

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from sealift.cli import cli as sealift
from sealift_bundler.cli import command as bundler
from sealift_common import loudness
from sealift_keys.cli import command as keys
from sealift_pipeline.cli import command as pipeline

PAGE = Path(__file__).parent / "reference" / "commands.md"
GROUPS = {"sealift": sealift, "sealift-bundler": bundler, "sealift-keys": keys, "sealift-pipeline": pipeline}

HEAD = """\
<!-- Written by docs/generate_commands.py from the commands; run `make docs` after a change. -->

# Commands

Results go to stdout; diagnostics and progress go to stderr, progress only when that is a terminal. `--json` prints one
JSON document for scripts. The exit status says what happened: see [Errors and exit codes](errors.md).

Every command also takes `-v` (`--verbose`), which says more on stderr, tries to reach a registry for example; `-q`
(`--quiet`), which leaves nothing on stderr but errors and questions; and `--debug`, which says everything, and where an
error came from, for a report of a bug.

| variable | meaning |
|---|---|
| `SEALIFT_STORE` | the store, instead of `/var/opt/gitlab/sealift` |
| `SEALIFT_TRUST` | the folder of the pinned root, instead of `/etc/gitlab/sealift` |
| `SEALIFT_CHANNEL` | the channel directory, instead of `--channel` |
| `SEALIFT_WARN_AFTER`, `SEALIFT_FAIL_AFTER` | days after which `sealift status` warns, or fails |
| `SEALIFT_CA_FILE` | certificates to believe for registries, instead of `--ca-file` |
| `DOCKER_CONFIG` | the folder of the `config.json` with logins to registries, instead of `~/.docker` |
| `REGISTRY_AUTH_FILE` | a file of logins to registries, as Podman and skopeo write it; searched first |
| `https_proxy`, `http_proxy`, `no_proxy` | the proxy on the way to a registry, and hosts without one |
| `SEALIFT_SYSLOG` | `none` writes no events to journald or syslog |
| `NO_COLOR` | anything: no colors on a terminal |
| `GITLAB_TOKEN`, `GITLAB_DEPLOY_TOKEN`, `CI_JOB_TOKEN` | the login to `gitlab://` addresses |
| `SEALIFT_PASSPHRASE`, `SEALIFT_PASSPHRASE_<STEM>` | passphrase of every key, or of the key file `<stem>.pem` |
| `SEALIFT_PIPELINE` | the folder of the pipeline, instead of `--pipeline` |
| `SOURCE_DATE_EPOCH` | the release time that is signed, in seconds since 1970 |

The shell completes commands, options, model names and versions once it knows how. For one user, put this into
`~/.bashrc`:

```shell
eval "$(_SEALIFT_COMPLETE=bash_source sealift)"
```

For everybody, write what it prints to `/etc/bash_completion.d/sealift`. Likewise `_SEALIFT_BUNDLER_COMPLETE`,
`_SEALIFT_KEYS_COMPLETE` and `_SEALIFT_PIPELINE_COMPLETE`, and `zsh_source` or `fish_source`.
"""


def render() -> str:
    """Return the page as Markdown."""
    parts = [HEAD]
    for name, group in GROUPS.items():
        parts.append(f"## {name}\n\n{_help(group)}\n")
        for path, command in _commands(name, group):
            parts.append(f"### {path}\n\n{_help(command)}\n")
            context = click.Context(command, info_name=path)
            usage = " ".join([path, *command.collect_usage_pieces(context)])
            parts.append(f"    {usage}\n")
            rows = [
                _row(option, context)
                for option in command.params
                if isinstance(option, click.Option) and option.name not in loudness.NAMES
            ]
            if rows:
                parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _commands(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(f"{path} {name}", command)
        elif command is not None:
            yield f"{path} {name}", command


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def _row(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" `{option.make_metavar(context)}`"
    notes = [option.help or ""]
    if option.required:
        notes.append("Required.")
    if option.multiple and "repeat for several" not in notes[0]:
        notes.append("May be given several times.")
    if option.show_default and option.default is not None and not option.is_flag:
        notes.append(f"Default: `{option.default}`.")
    return f"| {names}{value} | {' '.join(notes)} |".replace("||", "|")


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is out of date")
    if parser.parse_args().check:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{PAGE.name} is out of date; run: make docs", file=sys.stderr)
        return 1
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
