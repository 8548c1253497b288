"""Read fields of a JSON document strictly; every refusal says where in the document it happened."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from sealift.errors import MalformedError

Value = TypeVar("Value")


# Beyond this a tolerance, the only number there is, would accept any answer.
_LARGEST = 1e12
# Counts, versions and places in lists; none comes near.
_INTEGERS = 2**31


class Fields:
    """One JSON object of a document, with its place in it for error messages."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is {_kind(value)}; expected an object")
        self._value: dict[str, Any] = value
        self._where = where
        self._read: set[str] = set()

    @property
    def where(self) -> str:
        """The place of this object in its document."""
        return self._where

    def text(self, key: str, *, allowed: Collection[str] | None = None) -> str:
        """The string at `key`, one of `allowed` where that is given."""
        value = self._get(key)
        if not isinstance(value, str):
            raise self._wrong(key, value, "a string")
        if allowed is not None and value not in allowed:
            raise MalformedError(f"{self._where}.{key} is {value[:80]!r}; expected one of {sorted(allowed)}")
        return value

    def optional_text(self, key: str) -> str | None:
        """The string at `key`, or None where the key is absent or null."""
        return None if self._value.get(key) is None and self._seen(key) else self.text(key)

    def integer(self, key: str, *, at_least: int = 0) -> int:
        """The integer at `key`, of 32 bits."""
        value = self._get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value < _INTEGERS:
            raise self._wrong(key, value, f"an integer of at least {at_least}, below 2^31")
        return value

    def number(self, key: str) -> float:
        """The number at `key`, not negative."""
        value = self._get(key)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
            raise self._wrong(key, value, f"a number of at least 0, at most {_LARGEST:g}")
        return float(value)

    def boolean(self, key: str) -> bool:
        """The boolean at `key`."""
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def optional_boolean(self, key: str) -> bool | None:
        """The boolean at `key`, or None where the key is absent or null."""
        self._read.add(key)
        return self.boolean(key) if self._value.get(key) is not None else None

    def mapping(self, key: str) -> dict[str, Any]:
        """The free-form object at `key`; empty where the key is absent."""
        value = self._value.get(key, {})
        self._read.add(key)
        if not isinstance(value, dict):
            raise self._wrong(key, value, "an object")
        return value

    def array(self, key: str) -> list[Any]:
        """The array at `key`; empty where the key is absent."""
        value = self._value.get(key, [])
        self._read.add(key)
        if not isinstance(value, list):
            raise self._wrong(key, value, "an array")
        return value

    def optional_array(self, key: str) -> list[Any] | None:
        """The array at `key`, or None where the key is absent or null."""
        self._read.add(key)
        return self.array(key) if self._value.get(key) is not None else None

    def texts(self, key: str) -> tuple[str, ...]:
        """The strings of the array at `key`; empty where the key is absent."""
        values = self.array(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, values, "an array of strings")
        return tuple(values)

    def object(self, key: str) -> "Fields":
        """The object at `key`."""
        return Fields(self._get(key), f"{self._where}.{key}")

    def optional_object(self, key: str) -> "Fields | None":
        """The object at `key`, or None where the key is absent or null."""
        self._read.add(key)
        return self.object(key) if self._value.get(key) is not None else None

    def objects(self, key: str, build: "Callable[[Fields], Value]") -> tuple[Value, ...]:
        """Build one value from each object of the array at `key`."""
        places = enumerate(self.array(key))
        return tuple(build(Fields(item, f"{self._where}.{key}[{index}]")) for index, item in places)

    def keys(self) -> tuple[str, ...]:
        """All keys, where they are names of something and not of a schema."""
        return tuple(self._value)

    def has(self, key: str) -> bool:
        """Return whether `key` is there and not null."""
        return self._value.get(key) is not None

    def close(self) -> None:
        """Refuse keys that nobody asked for: a reader that ignores one may misread the rest."""
        unknown = min(self._value.keys() - self._read, default=None)
        if unknown is not None:
            raise MalformedError(f"{self._where} has the unknown key {unknown[:80]!r}; expected {sorted(self._read)}")

    def refuse(self, reason: str) -> MalformedError:
        """Make the error for something wrong in this object."""
        return MalformedError(f"{self._where} {reason}")

    def _seen(self, key: str) -> bool:
        self._read.add(key)
        return True

    def _get(self, key: str) -> Any:
        self._read.add(key)
        if key not in self._value:
            raise MalformedError(f"{self._where} lacks {key!r}")
        return self._value[key]

    def _wrong(self, key: str, value: Any, expected: str) -> MalformedError:
        return MalformedError(f"{self._where}.{key} is {_kind(value)}; expected {expected}")


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)[:80]
    return "an array" if isinstance(value, list) else "an object"
