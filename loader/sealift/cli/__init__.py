"""The admin's command. One module per subcommand, imported only when it is run."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

# By the rooms that hold their modules, in the order of the story that they tell.
_COMMANDS = {
    "trust": ("trust", "policy"),
    "bundles": ("verify", "inspect", "diff", "push"),
    "store": ("install", "rollback", "check", "prune", "export", "restore"),
    "state": ("status", "list", "show", "review", "history", "doctor", "path"),
    "answers": ("predict", "bench", "serve"),
}

# The first sentence of each, as its own help says it: `--help` imports none of them.
SENTENCES = {
    "trust": "Decide and show whose models may run here.",
    "policy": "Decide which approvals of reviewers this instance demands.",
    "verify": "Check every signature and every byte of a bundle against what is trusted and installed here.",
    "inspect": "Show a bundle's models, sizes and signers, and what is new, from its head alone.",
    "diff": "Show what changes from bundle A to bundle B: models, files, inputs and outputs, proofs, withdrawals.",
    "push": "Copy a bundle to ADDRESS; only what is missing there travels.",
    "install": "Verify a bundle completely, try its models on this machine, then activate them in one step.",
    "rollback": "Activate an earlier generation, or only one model of it.",
    "check": "Compare everything in the store with what is signed, and report all damage at once.",
    "prune": "Remove old generations, and model versions that no kept generation, nor any process, uses.",
    "export": "Write everything that the store holds to one file, or to standard output with `-`.",
    "restore": "Verify a backup against the pinned root, then make it the store.",
    "status": "Show the channel, the newest bundle installed here and its age, and what is wrong.",
    "list": "List the models that applications get, with version, size and digest, and how their approvals stand.",
    "show": "Show a model's inputs, outputs, proof of conversion, files and card; checks its files first.",
    "review": "Show who approved model NAME, until when, and whether that is enough for this instance.",
    "history": "Show every change and every export, oldest first.",
    "doctor": "Look at this machine, the store and the pinned root.",
    "path": "Check a model's files and print the directory that always holds its active version.",
    "predict": "Answer the rows of a file, one line per row, as they are read.",
    "bench": "Time a model on this machine, with the rows of its golden examples.",
    "serve": "Serve models over a Unix socket, in the Open Inference Protocol v2; all active ones, or those named.",
}


@click.group(
    cls=LazyGroup,
    modules={name: f"sealift.cli.{room}.{name}" for room, names in _COMMANDS.items() for name in names},
    sentences=SENTENCES,
    context_settings=HELP_OPTIONS,
    epilog="""\b
Tab completion: eval "$(_SEALIFT_COMPLETE=bash_source sealift)"
(or zsh_source, fish_source).
""",
)
@click.version_option(package_name="sealift", message="sealift %(version)s")
def cli() -> None:
    """Install, check and use signed models on a machine without internet."""


main = entry(cli, "sealift")
