"""The command `sealift-pipeline`; each subcommand's module is imported when it runs."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

_EVENTS = ("init", "receive", "land", "status", "snapshot", "verify", "backfill", "erase")
_MODELS = ("retrain", "drift", "reproduce", "assist", "publish", "champion")
MODULES = {
    **{name: f"sealift_pipeline.cli.events.{name}" for name in _EVENTS},
    **{name: f"sealift_pipeline.cli.models.{name}" for name in _MODELS},
}

# The first sentence of each, as its own help says it: `--help` imports none of them.
SENTENCES = {
    "init": (
        "Make the folder DIR: settings, a data policy to edit, two secrets, units for systemd, a schedule for GitLab."
    ),
    "receive": "Listen for events, and answer 200 once one is on the disk; ends with Ctrl-C or SIGTERM.",
    "land": "Write events into one table for each kind, durably, then trim the log; ends with Ctrl-C or SIGTERM.",
    "status": "Show how many events wait in the log, and what each table holds.",
    "snapshot": "Write a data snapshot of KIND: which rows, and one root that holds over all of them.",
    "verify": (
        "Check each row of a data snapshot and the root over all, or the chain of a bundle "
        "down to them, without network."
    ),
    "backfill": (
        "Ask GitLab for what the hook sent in the last seven days and for issues, and keep what is not known yet."
    ),
    "erase": "Remove every row about a person from tables and log; leaves stay, so the roots of snapshots hold.",
    "retrain": "Train the model of PROJECT.toml on all landed events, and stage it if it passes the gate.",
    "drift": "Compare the events since the newest version of PROJECT.toml's model with those that it learned from.",
    "reproduce": "Train again what RUN.json says, and compare run and model; data-snapshot.json lies beside it.",
    "assist": "Score parameters for the search of PROJECT.toml that `retrain` runs elsewhere; ends with the search.",
    "publish": "Put a released or staged model version into a project's model registry, under its own version.",
    "champion": (
        "Show the digest, the metrics and the parameters of a version in a model registry; by default of the newest."
    ),
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


@click.group(cls=LazyGroup, modules=MODULES, sentences=SENTENCES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-pipeline %(version)s")
def command() -> None:
    """Turn the events of a GitLab instance into training data that can be cited and erased."""


main = entry(command, "sealift-pipeline")
