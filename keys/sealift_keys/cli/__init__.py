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

# The first sentence of each, as its own help says it: `--help` imports none of them.
SENTENCES = {
    "new": "Make an encrypted private key FILE and its public half FILE.pub.",
    "import": "Write the public half of the key at URI to PUB; the private half stays where it is.",
    "passphrase": "Encrypt the private key FILE with a new passphrase; the key itself stays, and so do its signatures.",
    "init": "Make the channel DIR: its root, and an empty first release.",
    "sign": "Sign all metadata of the channel DIR that the given keys may sign and have not signed yet.",
    "merge": "Add to the channel DIR the signatures and reviews that were made on COPY, on another machine.",
    "status": "Show who has signed the channel DIR and who has not; exit status 0 also when some are missing.",
    "show": (
        "Show the roles, keys, thresholds, expiry dates and fingerprints of the channel DIR, and what waits for them."
    ),
    "expiry": "Say when the metadata of the channel DIR expires, the nearest first.",
    "rotate": "Take keys out of roles of the channel DIR and put others in.",
    "threshold": "Demand N signatures for a role of the channel DIR.",
    "renew": "Give roles of the channel DIR new versions with new expiry dates; their content does not change.",
    "revoke": "Take the stolen key NAME out of every role of the channel DIR, for good.",
    "reviewer": "Say who reviews model versions of the channel DIR, in a new version of root.",
    "review": "Sign what you decided about VERSION of model NAME in the channel DIR, or in a copy of it.",
    "gather": "Sign again, in few statements, all that you approved among what the channel DIR has released.",
    "own-review": "Sign what you decided about VERSION of model NAME for your own site, into DIR/reviews.",
}

EPILOG = """\b
Passphrases come from --passphrase-file, then SEALIFT_PASSPHRASE_<STEM> (the
key's file name without .pem, in capitals), then SEALIFT_PASSPHRASE, then the
terminal.

\b
Tab completion: eval "$(_SEALIFT_KEYS_COMPLETE=bash_source sealift-keys)"
(or zsh_source, fish_source).
"""


@click.group(cls=LazyGroup, modules=MODULES, sentences=SENTENCES, epilog=EPILOG, context_settings=HELP_OPTIONS)
@click.version_option(package_name="sealift", message="sealift-keys %(version)s")
def command() -> None:
    """Decide who may sign: key files, channels, signatures."""


main = entry(command, "sealift-keys")
