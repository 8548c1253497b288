"""The command `sealift-pipeline`; each subcommand's module is imported when it runs."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

_EVENTS = ("init", "receive", "land", "status", "snapshot", "verify", "backfill", "erase")
_MODELS = ("retrain", "drift", "reproduce", "assist", "publish", "champion")
MODULES = {
    **{name: f"sealift_pipeline.cli.events.{name}" for name in _EVENTS},
    **{name: f"sealift_pipeline.cli.models.{name}" for name in _MODELS},
}

EPILOG = """\b
In this order: init (a folder), receive and land (two services), status (look),
snapshot (cite rows), verify (check them).
As well as these: backfill (what the receiver missed), erase (a person).
For models: retrain (to a staged version), drift (look), reproduce (compare),
assist (a search on another machine), publish (into a model registry), champion
(what that says of the version in use).

\b
Tab completion: eval "$(_SEALIFT_PIPELINE_COMPLETE=bash_source sealift-pipeline)"
(or zsh_source, fish_source).
"""


@click.group(cls=LazyGroup, modules=MODULES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-pipeline %(version)s")
def command() -> None:
    """Turn the events of a GitLab instance into training data that can be cited and erased."""


main = entry(command, "sealift-pipeline")
