"""`sealift-bundler review`: begin the answers about a model."""

from pathlib import Path

import click

from sealift_bundler.cli.options import channel_option
from sealift_common.errors import UsageError
from sealift_common.files.output import require_place, write
from sealift_common.names import MAX_NAME_CHARS, is_model_name
from sealift_common.review.questionnaire import FILE_NAME, default_bytes, parse_questionnaire
from sealift_keys.channel.directory import Channel


@click.group()
def command() -> None:
    """Write what reviewers read: the answers about a model."""


@command.command()
@click.argument("name")
@click.option(
    "--channel",
    "directory",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Ask what the questionnaire of this channel asks; by default Sealift's own.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=Path("review.toml"),
    show_default=True,
    metavar="FILE",
    help="Where to write it; a file that is there is never replaced.",
)
def new(name: str, directory: Path | None, output: Path) -> None:
    """Write a commented review.toml for model NAME, to fill in."""
    from sealift_bundler.release.reviewing import questionnaire_of
    from sealift_bundler.review.template import template

    if not is_model_name(name):
        raise UsageError(
            f"model name {name[:120]!r} is not allowed; expected [a-z0-9][a-z0-9._-]*, "
            f"at most {MAX_NAME_CHARS} characters"
        )
    own = None if directory is None else questionnaire_of(Channel.open(directory))
    _write_new(output, template(name, own or parse_questionnaire(default_bytes())).encode())
    click.echo(f'wrote {output}; fill it in, and name it in the recipe: review = "{output.name}"')


@command.command()
@channel_option
def questionnaire(directory: Path) -> None:
    """Write Sealift's questionnaire into the channel DIR, to change it there; from then on `add` asks for answers."""
    path = Channel.open(directory).directory / FILE_NAME
    _write_new(path, default_bytes())
    click.echo(f"wrote {path}; every recipe of this channel needs answers now")
    click.echo(f"next: sealift-bundler review new NAME --channel {directory}")


def _write_new(path: Path, data: bytes) -> None:
    require_place(path)
    if path.exists():
        raise UsageError(f"{str(path)!r} is there already, and is not replaced; name another file, or remove it")
    write(path, data)
