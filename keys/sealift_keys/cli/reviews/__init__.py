"""Commands of reviews: who reviews, what they say, and how it is kept small; here the options that two share."""

from collections.abc import Callable
from typing import Any

import click

from sealift_common.blob import is_digest
from sealift_common.errors import UsageError
from sealift_common.review.statement import APPROVED, REJECTED, WITHDRAWN
from sealift_keys.ceremony.stating import DEFAULT_EXPIRES_DAYS
from sealift_keys.cli.options import KEY, passphrase_file_option, pkcs11_option


def decision_options(digest_help: str) -> Callable[[Any], Any]:
    """What a reviewer decided, of which bytes, for how long, and the key that signs it."""
    options = (
        click.option("--approve", "decision", flag_value=APPROVED, help="It may be used."),
        click.option("--reject", "decision", flag_value=REJECTED, help="It must not be used."),
        click.option("--withdraw", "decision", flag_value=WITHDRAWN, help="Take your own approval back."),
        click.option("--digest", required=True, metavar="SHA256", help=digest_help),
        click.option(
            "--expires-days",
            type=int,
            default=DEFAULT_EXPIRES_DAYS,
            show_default=True,
            help="How long an approval is good.",
        ),
        click.option("--note", default="", help="One line that others read; it is signed."),
        click.option("--key", required=True, type=KEY, metavar="FILE", help="Your private key."),
        pkcs11_option,
        passphrase_file_option,
    )

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def require_decision(decision: str | None, digest: str) -> str:
    """Return what was decided.

    Raises:
        UsageError: nothing was, or the digest is none.
    """
    if decision is None:
        raise UsageError("say what you decided: --approve, --reject or --withdraw")
    if not is_digest(digest):
        raise UsageError(f"--digest {digest[:80]!r} is not a digest; expected 'sha256:' and 64 hexadecimal digits")
    return decision
