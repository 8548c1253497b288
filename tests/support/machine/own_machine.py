"""Commands that are advised as on a machine of its own, also where the tests run in a container."""

import os

_MARKS = ("/.dockerenv", "/run/.containerenv")
# For a shell in a mount namespace of its own: what Docker and Podman leave is not a file there.
HIDE = "; ".join(f"if [ -e {mark} ]; then mount --bind /dev/null {mark}; fi" for mark in _MARKS)


def within() -> tuple[str, ...]:
    """What to put in front of a command; nothing on a machine."""
    return ("unshare", "-m", "sh", "-c", f'{HIDE}; exec "$@"', "sh") if any(map(os.path.exists, _MARKS)) else ()
