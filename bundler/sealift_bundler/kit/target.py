"""The machine that a kit is for: which wheels run there, and what markers of a lock say there. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags

PLATFORMS = {"linux-x86_64": "x86_64", "linux-aarch64": "aarch64"}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# ONNX Runtime's wheels ask for glibc 2.28 and no package for more: Debian 10, RHEL 8, Ubuntu 20.04 and newer.
GLIBC = (2, 28)
_OLDEST_GLIBC_MINOR = 17


@dataclass(frozen=True)
class Target:
    """One Python on one platform, such as `3.12` on `linux-aarch64`."""

    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.platform}, Python {self.python}"

    @property
    def machine(self) -> str:
        """The value of `platform.machine()` there."""
        return PLATFORMS[self.platform]

    @property
    def interpreter(self) -> str:
        """The name of this Python in wheel tags, such as `cp312`."""
        return "cp" + self.python.replace(".", "")

    @property
    def platform_tags(self) -> list[str]:
        """Platform tags of wheels that run there, the best first."""
        newest = [f"manylinux_2_{minor}_{self.machine}" for minor in range(GLIBC[1], _OLDEST_GLIBC_MINOR - 1, -1)]
        return [*newest, f"manylinux2014_{self.machine}"]

    def tags(self) -> Iterator[Tag]:
        """Yield every tag of a wheel that runs there, the best first."""
        major, minor = map(int, self.python.split("."))
        yield from cpython_tags((major, minor), platforms=self.platform_tags)
        yield from compatible_tags((major, minor), self.interpreter, self.platform_tags)

    def marker_environment(self) -> dict[str, str]:
        """Environment for the markers of a requirement there."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }
