"""The part of `pipeline.toml` that says what happens when GitLab tells that a user was removed: `[erasure]`."""

from dataclasses import dataclass

from sealift_common.parsing.strict_toml import StrictToml

KEYS = ("on_user_destroy", "wait_hours", "most_users", "most_percent")
_WAYS = ("queue", "apply")


@dataclass(frozen=True)
class ErasureSettings:
    """What a `user_destroy` event does.

    Attributes:
        is_automatic: the lander erases the user; otherwise the event waits for `erase --pending`.
        wait_hours: after the event; what GitLab still delivers of the user has come by then.
        most_users: of a day; where more were removed, all that wait go on waiting.
        most_percent: of the rows of a kind; where more would go, all that wait go on waiting.
    """

    is_automatic: bool = False
    wait_hours: int = 24
    most_users: int = 20
    most_percent: int = 5


def parse(toml: StrictToml, *, knows_system_hook: bool) -> ErasureSettings:
    """Read the section `[erasure]`.

    Args:
        knows_system_hook: the system hook has a token of its own.

    Raises:
        DataPolicyError: a value is wrong, or events would be applied that any hook could have sent.
    """
    section, standard = toml.table("erasure"), ErasureSettings()
    way = section.get("on_user_destroy", "queue")
    if way not in _WAYS:
        raise toml.error("on_user_destroy", f"'on_user_destroy' is {way!r:.80}; expected queue or apply", "erasure")
    if way == "apply" and not knows_system_hook:
        hint = "give [receiver] system_token_file, the token of the system hook alone"
        raise toml.error("on_user_destroy", f"any hook could have a user erased; {hint}", "erasure")
    numbers = {}
    for key, least, most in (("wait_hours", 0, 720), ("most_users", 1, 1_000_000), ("most_percent", 1, 100)):
        value = section.get(key, getattr(standard, key))
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise toml.error(key, f"{key!r} is {value!r:.80}; expected a number from {least} to {most:,}", "erasure")
        numbers[key] = value
    return ErasureSettings(way == "apply", **numbers)
