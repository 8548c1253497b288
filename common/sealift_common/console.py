"""The common part of the four commands: one line per error, the exit code of its class, JSON on stdout.

Results go to stdout, everything else to stderr.
"""

import errno
import gc
import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from signal import SIGINT
from typing import Any

import click

from sealift_common import loudness
from sealift_common.errors import Error, LocalError, UsageError
from sealift_common.interrupts import Interrupted, raise_if_heard, raise_on_signals
from sealift_common.wording import nearest

# What this run has put on stdout already; a reader of JSON expects one document.
_printed: set[str] = set()
# Of the disclosure scan, each a tenth of a second.
_MOST_FINDINGS = 100
_SERVE = frozenset(["uvicorn", "httptools", "h11"])
# Of the letters of a mistyped option: one wrong letter in four is a slip, two are another word.
_NEAR = 0.7
_INTERRUPTED = "interrupted; nothing half-done is left active"
# A command imports hundreds of modules, which stay until its end. To look for garbage among them after every 700
# objects, and once more on exit, takes a tenth of a short command's time. Nothing of ours waits for that: what holds a
# file, a folder or a lock gives it back at the end of its block.
_GARBAGE_THRESHOLDS = 20_000, 10, 10
HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}


def print_json(document: object) -> None:
    """Print `document` as one indented JSON document with sorted keys, fit for a terminal too."""
    import json

    _printed.add("json")
    text = json.dumps(_readable(document), indent=2, sort_keys=True, ensure_ascii=False)
    # JSON itself escapes only the first 32 control characters, and neither C1 controls nor directional marks.
    click.echo("".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text))


def print_json_line(document: object) -> None:
    """Print `document` as one line, for commands that print one for each event."""
    import json

    _printed.add("json")
    click.echo(json.dumps(_readable(document), sort_keys=True))


def _readable(value: object) -> object:
    """Spell out what is not UTF-8 in a path: half a surrogate pair is not text to other readers of JSON."""
    if isinstance(value, str):
        try:
            return value if value.isascii() else os.fsencode(value).decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {str(_readable(name)): _readable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    return value


def error_document(error: Error) -> dict[str, object]:
    """Return what a script gets of an error; `problems` or `findings` lists them where it stands for several."""
    document: dict[str, object] = {
        "code": error.code,
        "exit_code": error.exit_code,
        "message": str(error),
        "remedy": error.remedy,
    }
    problems, findings = getattr(error, "problems", ()), getattr(error, "findings", ())
    if problems:
        document["problems"] = [error_document(problem) for problem in problems]
    if findings:
        document["findings"] = [finding.document() for finding in findings[:_MOST_FINDINGS]]
    return document


def local_error(error: OSError, what: str = "") -> LocalError:
    """Say in one line which path the operating system refused, and why."""
    # An error on a descriptor has its number in place of a path.
    path = f" {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes | os.PathLike) else ""
    reason = error.strerror or str(error)
    if error.filename is None and reason.startswith("No usable temporary directory"):
        from sealift_common import advice

        # It names the folders that `tempfile` tried.
        return LocalError(f"{reason[0].lower()}{reason[1:]}; {advice.temporary_folder()}")
    hint = {
        errno.ENOENT: "check the path",
        errno.EACCES: "check its owner and mode",
        errno.ENOSYS: "this file system or kernel lacks what was asked for; use another place",
        errno.ENOTSUP: "this file system lacks what was asked for; use another place",
        errno.EISDIR: "give a file, not a directory",
        errno.ENOSPC: "free some space and run the same command again",
        errno.EROFS: "the file system is read-only",
    }.get(error.errno or 0)
    return LocalError(f"{what or 'cannot use'}{path}: {reason}" + (f"; {hint}" if hint else ""))


def run(command: click.Command, name: str, argv: list[str] | None = None) -> int:
    """Run a click command and return its exit status; an admin sees one line, never a traceback.

    Bugs still print a traceback (exit 1), because hiding one helps nobody.
    """
    _printed.clear()
    stdout = sys.stdout
    try:
        with loudness.scope():
            try:
                result = command.main(args=argv, prog_name=name, standalone_mode=False)
                sys.stdout.flush()
            except (Error, OSError):
                loudness.say_where_from()
                raise
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _say(name, f"{_sentence(error)} [{UsageError.code}]", error.exit_code)
    except (click.Abort, Interrupted) as stop:
        status = getattr(stop, "exit_status", 128 + SIGINT)
        return status if getattr(stop, "is_the_end", False) else _say(name, _INTERRUPTED, status)
    except SystemExit as stop:
        # The consumer closed the pipe (for example `| head`); that is not our error. click then exits with 1, and
        # replaces stdout by something that can be flushed.
        if sys.stdout is not stdout:
            return 0
        return stop.code if isinstance(stop.code, int) else 1
    except ModuleNotFoundError as error:
        return _say(name, _missing_package(error), LocalError.exit_code)
    except (Error, OSError) as error:
        refused = error if isinstance(error, Error) else local_error(error)
        return _refuse(name, refused, as_json="--json" in (sys.argv[1:] if argv is None else argv))
    finally:
        _let_go_of_stdout()
    return result if isinstance(result, int) else 0


def _sentence(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        # click compares the dashes, too, and so finds that `--version` was to be `--json`.
        error.possibilities[:] = [one for one in error.possibilities if _is_near(error.option_name, one)]
    hint = f"; see `{context.command_path} --help`" if context else ""
    return error.format_message().rstrip(".") + hint


def _is_near(typed_option: str, option: str) -> bool:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, typed_option.strip("-"), option.strip("-")).ratio() > _NEAR


def _missing_package(error: ModuleNotFoundError) -> str:
    package = (error.name or "").partition(".")[0]
    if package.startswith("sealift"):
        raise error
    lacks = f"the Python package {package!r} is not installed here"
    if package in _SERVE:
        how = "install Sealift with its extra 'serve', or from a kit that `sealift-bundler kit --extra serve` made"
    else:
        how = "install Sealift with its extra 'bundler' (or the extra that the documentation names)"
    return f"{lacks}; {how} [{LocalError.code}]"


def _refuse(name: str, error: Error, *, as_json: bool) -> int:
    try:
        raise_if_heard()
    except Interrupted as stop:
        return _say(name, _INTERRUPTED, stop.exit_status)
    if as_json and "json" not in _printed:
        print_json({"error": error_document(error)})
    return _say(name, f"{error} [{error.code}]", error.exit_code)


def _occupy_standard_streams() -> None:
    """Put the null device where stdin, stdout or stderr is closed, so that no file of ours is taken for one of them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _let_go_of_stdout() -> None:
    """Keep the interpreter from complaining again, on exit, about a stdout that took no more."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _say(name: str, message: str, status: int) -> int:
    line = plain(" ".join(message.split()))
    click.echo(f"{name}: {line}", err=True)
    return status


def entry(command: click.Command, name: str) -> Callable[[], None]:
    """Make the function that a console script calls."""

    def main() -> None:
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        _occupy_standard_streams()
        raise_on_signals()
        try:
            status = run(command, name)
        except Interrupted as stop:
            # One more, while the first was being told.
            status = stop.exit_status
        gc.freeze()
        sys.exit(status)

    return main


def plain(text: object) -> str:
    """Make a signed or stored text fit for a terminal: one line, no control characters that could act or deceive."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(text))


# Words that a cell or a line begins with, and how they look on a terminal.
_GOOD, _DOUBT, _BAD = "green", "yellow", "red"
_COLORS = {
    **dict.fromkeys(("ok", "active"), _GOOD),
    **dict.fromkeys(("warning", "unknown", "note", "excepted", "approved"), _DOUBT),
    **dict.fromkeys(("problem", "error", "withdrawn", "DAMAGED", "UNREVIEWED", "RETURNED", "MISSING"), _BAD),
}
_WORD = re.compile(r"[A-Za-z]+")


def colored(text: str) -> str:
    """Color a line by the word that it begins with, on a terminal, unless `NO_COLOR` is set; see no-color.org."""
    word = _WORD.match(text)
    color = _COLORS.get(word[0]) if word else None
    if color is None or word is None or not _takes_color():
        return text
    return click.style(word[0], fg=color, bold=color == _BAD) + text[word.end() :]


def _takes_color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def typed(ctx: click.Context, first_argument: str) -> str:
    """Return the first argument that was typed before the value that is to be completed, or an empty text."""
    # After an option without its value, click gives up parsing and leaves arguments among the rest.
    return str(ctx.params.get(first_argument) or next(iter(ctx.args), ""))


class LazyGroup(click.Group):
    """A command group that imports a subcommand's module only when that subcommand is run.

    Args:
        modules: subcommand name to the module that holds it as `command`.
        sentences: subcommand name to the first sentence of its help, so that `--help` imports none of them.

    """

    def __init__(self, *args: Any, modules: dict[str, str], sentences: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules
        self._sentences = sentences
        loudness.add_to(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands in the order of the story they tell."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand, or None."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(self._modules[cmd_name]).command
        loudness.add_to(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say of each subcommand its whole first sentence; click cuts it off after some words."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._sentences[name]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for a misspelled one."""
        if args and args[0] not in self._modules and not args[0].startswith("-"):
            ctx.fail(f"no such command {args[0]!r}; {nearest(args[0], self._modules)}")
        return super().resolve_command(ctx, args)
