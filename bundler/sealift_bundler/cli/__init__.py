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

# The first sentence of each, as its own help says it: `--help` imports none of them.
SENTENCES = {
    "init": "Make the channel DIR for you and those who approve; on a terminal, ask for what is not given.",
    "convert": "Convert MODEL to ONNX and prove that its answers did not change.",
    "recipe": "Begin with a model: write the recipe and the card that its release needs.",
    "review": "Write what reviewers read: the answers about a model.",
    "add": "Convert the model of each RECIPE.toml, prove it, and stage it for the channel's next release.",
    "preview": "Show what the next release changes: models that are new or withdrawn, their proofs and sizes.",
    "dossier": "Write a page about NAME:VERSION, or about each version that the next release brings, with an index.",
    "release": "Make a release of everything released before and everything staged, and sign it.",
    "pack": "Write the current release as one deterministic tar, then verify it as an instance would.",
    "split": "Write a bundle as parts that each can be checked alone; `sealift install` reads them as one.",
    "withdraw": "Make a release without VERSION of model NAME; instances stop loading it, and it never returns.",
    "status": "Show which model versions are released, staged and withdrawn, who has signed, and the next command.",
    "unstage": "Take VERSION of model NAME out of the next release; it can be added again.",
    "sweep": "Remove blobs that no version names which is staged or was ever released.",
    "kit": "Write Sealift, its packages, its pages and a channel's root as one tar that installs without internet.",
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


@click.group(cls=LazyGroup, modules=MODULES, sentences=SENTENCES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-bundler %(version)s")
def command() -> None:
    """Convert, prove, describe, sign and pack trained models."""


main = entry(command, "sealift-bundler")
