"""The keys of pseudonyms, for a command that names persons with them."""

from collections.abc import Sequence

import click

from sealift_pipeline.data_policy import keys_used
from sealift_pipeline.settings.settings import KEY_FILE, Settings


def note_keys(settings: Settings, keys: Sequence[bytes]) -> None:
    """Note that the first of these keys is used; say which key that was used is not among them.

    Raises:
        KeyFileError: somebody else wrote the note.
        OSError: it cannot be written.
    """
    keys_used.remember(settings.folder, keys[0])
    for one in keys_used.missing(settings.folder, keys):
        click.echo(
            f"note: {KEY_FILE} lacks the key {one} that named persons before: they get new names now, and `erase` "
            "refuses; add the key as a last line",
            err=True,
        )
