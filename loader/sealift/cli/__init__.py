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


@click.group(
    cls=LazyGroup,
    modules={name: f"sealift.cli.{room}.{name}" for room, names in _COMMANDS.items() for name in names},
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
