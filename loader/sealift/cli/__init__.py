"""The admin's command. One module per subcommand, imported only when it is run."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

_COMMANDS = (
    "trust",
    "policy",
    "verify",
    "inspect",
    "diff",
    "install",
    "push",
    "status",
    "list",
    "show",
    "review",
    "history",
    "rollback",
    "export",
    "restore",
    "doctor",
    "check",
    "prune",
    "path",
    "predict",
    "bench",
    "serve",
)


@click.group(
    cls=LazyGroup,
    modules={name: f"sealift.cli.{name}_command" for name in _COMMANDS},
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
