"""The command `sealift-bundler`; each subcommand's module is imported when it runs."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

MODULES = {
    "init": "sealift_bundler.cli.channel.init",
    "convert": "sealift_bundler.cli.convert",
    "recipe": "sealift_bundler.cli.recipe",
    "review": "sealift_bundler.cli.review",
    "add": "sealift_bundler.cli.add",
    "preview": "sealift_bundler.cli.preview",
    "dossier": "sealift_bundler.cli.dossier",
    "release": "sealift_bundler.cli.channel.release",
    "pack": "sealift_bundler.cli.pack",
    "split": "sealift_bundler.cli.split",
    "withdraw": "sealift_bundler.cli.channel.withdraw",
    "status": "sealift_bundler.cli.channel.status",
    "unstage": "sealift_bundler.cli.channel.unstage",
    "sweep": "sealift_bundler.cli.channel.sweep",
    "kit": "sealift_bundler.cli.kit",
}

EPILOG = """\b
In this order: init (a channel), recipe (begin with a model), review (answer for
reviewers), add (recipes to channel), preview (look), dossier (for reviewers),
release (sign), pack (one tar).
As well as these: convert (try a model alone), kit (Sealift itself, for machines
without internet), status (where a channel stands; SEALIFT_CHANNEL names it).

\b
Tab completion: eval "$(_SEALIFT_BUNDLER_COMPLETE=bash_source sealift-bundler)"
(or zsh_source, fish_source).
"""


@click.group(cls=LazyGroup, modules=MODULES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-bundler %(version)s")
def command() -> None:
    """Convert, prove, describe, sign and pack trained models."""


main = entry(command, "sealift-bundler")
