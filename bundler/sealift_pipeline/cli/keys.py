"""The keys of pseudonyms, for a command that names persons with them."""

import click

from sealift_pipeline.data_policy import keys_used
from sealift_pipeline.data_policy.key_file import read_keys
from sealift_pipeline.settings.settings import KEY_FILE, Settings


def keys_in_force(settings: Settings) -> tuple[bytes, ...]:
    """Return the keys, the one in force first, and note that it is used; say which key that was used is missing.

    Raises:
        KeyFileError, OSError: as `read_keys`.
    """
    keys = read_keys(settings.key_file)
    keys_used.remember(settings.folder, keys[0])
    for one in keys_used.missing(settings.folder, keys):
        click.echo(
            f"note: {KEY_FILE} lacks the key {one} that named persons before: they get new names now, and `erase` "
            "refuses; add the key as a last line",
            err=True,
        )
    return keys
