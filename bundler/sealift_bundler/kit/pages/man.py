"""Manual pages, written from the commands themselves and from the error classes. Pure."""

from collections.abc import Iterator
from datetime import date

import click

from sealift.errors import Error
from sealift_bundler import errors as _bundler_errors  # noqa: F401 - the table lists every class
from sealift_bundler.kit.pages.roff import bold, escape, italic, paragraphs, sentence
from sealift_common import loudness


def man_page(name: str, group: click.Group, *, version: str, day: date, see_also: list[str]) -> str:
    """Return the page of section 1 for one of the three commands, in the man macros of roff.

    Args:
        name: the command as it is typed.
        day: the date on the page.
        see_also: names of the other commands that have a page.
    """
    commands = list(_commands(name, group))
    summary = (group.help or "").splitlines()[0].rstrip(".")
    head = f'.TH {name.upper()} 1 {day:%Y-%m-%d} "Sealift {version}" "Sealift"'
    lines = [head, ".SH NAME", f"{escape(name)} \\- {escape(summary[0].lower() + summary[1:])}", ".SH SYNOPSIS"]
    for place, (path, command) in enumerate(commands):
        lines += [".br"] if place else []
        lines.append(_usage(path, command))
    lines += [".SH DESCRIPTION", *paragraphs(group.help or ""), ".PP"]
    lines.append("Results go to standard output; diagnostics and progress go to standard error.")
    lines += [".SH OPTIONS OF EVERY COMMAND"]
    for common in loudness.options():
        lines += [".TP", _option(common, click.Context(group)), sentence(_meaning(common))]
    lines.append(".SH COMMANDS")
    for path, command in commands:
        lines += [f".SS {bold(path)}", *paragraphs(command.help or "")]
        context = click.Context(command, info_name=path)
        for option in command.params:
            if isinstance(option, click.Option) and option.name not in loudness.NAMES:
                lines += [".TP", _option(option, context), sentence(_meaning(option))]
    lines += [*_environment(commands), *_exit_status()]
    if group.epilog:
        lines += [".SH NOTES", *paragraphs(group.epilog)]
    lines += [".SH SEE ALSO", ", ".join(f"\\fB{escape(other)}\\fR(1)" for other in see_also)]
    return "\n".join(lines) + "\n"


def _commands(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group, info_name=path)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(f"{path} {name}", command)
        elif command is not None:
            yield f"{path} {name}", command


def _usage(path: str, command: click.Command) -> str:
    pieces = command.collect_usage_pieces(click.Context(command, info_name=path))
    return " ".join([bold(path), *map(italic, pieces)])


def _option(option: click.Option, context: click.Context) -> str:
    names = ", ".join(map(bold, [*option.opts, *option.secondary_opts]))
    return names if option.is_flag else f"{names} {italic(option.make_metavar(context))}"


def _meaning(option: click.Option) -> str:
    notes = [option.help or ""]
    if option.required:
        notes.append("Required.")
    if option.multiple and "repeat for several" not in notes[0]:
        notes.append("May be given several times.")
    if option.show_default and option.default is not None and not option.is_flag:
        notes.append(f"Default: `{option.default}`.")
    return " ".join(filter(None, notes)) or "See above."


def _environment(commands: list[tuple[str, click.Command]]) -> list[str]:
    found = {
        option.envvar: option.help or ""
        for _, command in commands
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.envvar, str)
    }
    if not found:
        return []
    lines = [".SH ENVIRONMENT"]
    for name, text in sorted(found.items()):
        lines += [".TP", bold(name), sentence(text)]
    return lines


def _exit_status() -> list[str]:
    lines = [".SH EXIT STATUS", "20 to 29 always means: do not use this file.", ".TP", "0", "Done."]
    lines += [".TP", "1", "A bug: please report it."]
    for error in sorted(_tree(Error), key=lambda error: error.exit_code):
        lines += [".TP", str(error.exit_code), sentence(f"`{error.code}`: {error.__doc__}")]
    return [*lines, ".TP", "130", "Interrupted from the keyboard."]


def _tree(error: type[Error]) -> Iterator[type[Error]]:
    for child in error.__subclasses__():
        # A kit carries no pipeline, whose errors are there only where something has imported it.
        if child.__module__.startswith("sealift") and not child.__module__.startswith("sealift_pipeline"):
            yield child
            yield from _tree(child)
