"""Damage to a store, and what is left of it."""

from datetime import UTC, datetime

from sealift.backup.restore import restore

NOW = datetime.now(UTC)


def flip_a_bit(path):
    path.chmod(0o644)
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def models_of(instance):
    return sorted(
        str(path.relative_to(instance.store_path / "models")) for path in instance.store_path.glob("models/*/*")
    )


def restored_from(backup, instance, **options):
    with backup.open("rb") as stream:
        return restore(stream, instance.store, **options)


def content_of(instance, *, but=("history.jsonl",)):
    return {
        name: value
        for name, value in instance.snapshot().items()
        if name.startswith("store/")
        and not name.startswith("store/trust")
        # It names the trust state, which is numbered anew.
        and not name.endswith("/.generation.json")
        and name.partition("/")[2] not in but
    }
