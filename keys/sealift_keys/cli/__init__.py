"""The command `sealift-keys`: keys, channels, signatures, and every change of who may sign."""

import click

from sealift_common.console import HELP_OPTIONS, LazyGroup, entry

_NAMES = (
    "new",
    "import",
    "passphrase",
    "init",
    "sign",
    "merge",
    "status",
    "show",
    "expiry",
    "rotate",
    "threshold",
    "renew",
    "revoke",
    "reviewer",
    "review",
    "gather",
    "own-review",
)
# A module cannot be named `import`.
_PLACES = {
    "import": "keyfile.import_key",
    **{name: f"keyfile.{name}" for name in ("new", "passphrase")},
    "own-review": "reviews.own_review",
    **{name: f"reviews.{name}" for name in ("reviewer", "review", "gather")},
}
MODULES = {name: f"sealift_keys.cli.{_PLACES.get(name, name)}" for name in _NAMES}

EPILOG = """\b
Passphrases come from --passphrase-file, then SEALIFT_PASSPHRASE_<STEM> (the
key's file name without .pem, in capitals), then SEALIFT_PASSPHRASE, then the
terminal.

\b
Tab completion: eval "$(_SEALIFT_KEYS_COMPLETE=bash_source sealift-keys)"
(or zsh_source, fish_source).
"""


@click.group(cls=LazyGroup, modules=MODULES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-keys %(version)s")
def command() -> None:
    """Decide who may sign: key files, channels, signatures."""


main = entry(command, "sealift-keys")
