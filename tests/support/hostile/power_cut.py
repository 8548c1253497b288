"""Record what a command does to a directory, call by call, and rebuild the disk as a power cut may leave it.

`record` runs a command under strace and returns every call that changed the directory. `Disk` applies calls and
answers what is on the disk: with everything that was done (a killed process), with only what was synced (a power
cut on a disk that keeps nothing else), and with every name but no unsynced content (a file system that writes its
journal before the data).

What counts as durable (Linux, ext4 and XFS with default mount options, without what they promise beyond POSIX): a
file's bytes after fsync of the file; names made, moved or removed in a directory after fsync of that directory.
"""

import ast
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = (
    "open,openat,creat,write,pwrite64,writev,ftruncate,truncate,fsync,fdatasync,rename,renameat,renameat2,unlink,"
    "unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,link,linkat,sync,syncfs,copy_file_range,sendfile,fallocate"
)
_LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+)(?:<(.*)>)?(?: .*)?$")
_DESCRIPTOR = re.compile(r"^(-?\d+|AT_FDCWD)<(.*)>$", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """One change: `name` is the system call, `path` and `other` are inside the recorded directory."""

    name: str
    path: str
    other: str = ""
    data: bytes = b""
    size: int = 0
    offset: int = -1


def record(command: list[str], directory: Path, scratch: Path, **options: object) -> list[Call]:
    """Run `command` and return what it did below `directory`, in order; the command must succeed."""
    log = scratch / "strace"
    options_of_strace = ["-f", "-y", "-qq", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-o", str(log)]
    subprocess.run(["strace", *options_of_strace, *command], check=True, capture_output=True, **options)
    start = str(options.get("cwd", os.getcwd()))
    return list(_calls(_whole_lines(log.read_text().splitlines()), str(directory), start))


def _whole_lines(lines: list[str]) -> Iterator[str]:
    """Join a call that another process interrupted with its end; it counts when it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, text = line.partition(" ")
        text = text.lstrip()
        if text.endswith("<unfinished ...>"):
            begun[process] = text.removesuffix("<unfinished ...>").rstrip()
        elif resumed := re.match(r"<\.\.\. \w+ resumed>", text):
            yield begun.pop(process) + text[resumed.end() :]
        else:
            yield text


def _calls(lines: Iterable[str], root: str, start: str) -> Iterator[Call]:
    flags = {"O_CREAT", "O_TRUNC", "O_APPEND"}
    appending: set[str] = set()
    for line in lines:
        match = _LINE.match(line)
        if match is None or match[3].startswith("-"):
            continue
        name, result = match[1], int(match[3])
        arguments = _split(match[2])

        def path(index: int, arguments=arguments) -> str | None:
            """The path argument at `index`, joined to the descriptor before it, relative to the root."""
            text = _text(arguments[index]).decode()
            if not os.path.isabs(text):
                base = _DESCRIPTOR.match(arguments[index - 1]) if index else None
                text = os.path.join(_unescape(base[2]) if base else start, text)
            return _below(os.path.normpath(text), root)

        def opened(arguments=arguments) -> str | None:
            match = _DESCRIPTOR.match(arguments[0])
            return _below(_unescape(match[2]), root) if match else None

        if name in ("open", "openat", "creat"):
            place = 0 if name in ("open", "creat") else 1
            given = (
                {flag for flag in flags if flag in arguments[place + 1]} if name != "creat" else {"O_CREAT", "O_TRUNC"}
            )
            if (found := path(place)) is None:
                continue
            if "O_APPEND" in given:
                appending.add(found)
            if "O_CREAT" in given:
                yield Call("create", found)
            if "O_TRUNC" in given:
                yield Call("truncate", found)
        elif name in ("write", "pwrite64") and (found := opened()) is not None:
            offset = int(arguments[3]) if name == "pwrite64" else -1
            yield Call("write", found, data=_text(arguments[1])[:result], offset=offset)
        elif name in ("fsync", "fdatasync") and (found := opened()) is not None:
            yield Call("fsync", found)
        elif name == "ftruncate" and (found := opened()) is not None:
            yield Call("truncate", found, size=int(arguments[1]))
        elif name in ("rename", "renameat", "renameat2"):
            first, second = (0, 1) if name == "rename" else (1, 3)
            source, target = path(first), path(second)
            assert (source is None) == (target is None), f"a rename across the border: {line}"
            if source is not None:
                yield Call("rename", source, target)
        elif name in ("unlink", "rmdir", "unlinkat"):
            if (found := path(1 if name == "unlinkat" else 0)) is not None:
                yield Call("remove", found)
        elif name in ("mkdir", "mkdirat"):
            if (found := path(1 if name == "mkdirat" else 0)) is not None:
                yield Call("mkdir", found)
        elif name in ("symlink", "symlinkat"):
            if (found := path(2 if name == "symlinkat" else 1)) is not None:
                yield Call("symlink", found, other=_text(arguments[0]).decode())
        elif name in ("link", "linkat", "truncate", "writev", "copy_file_range", "sendfile", "fallocate"):
            touched = [_text(argument).decode("latin-1") for argument in arguments if argument.startswith('"')]
            described = [_unescape(found[2]) for found in map(_DESCRIPTOR.match, arguments) if found]
            assert not any(_below(one, root) for one in touched + described), f"a call that is not understood: {line}"


def _split(text: str) -> list[str]:
    """Split at the commas outside quotes and brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[{(<":
            depth += 1
        elif not quoted and character in "]})>":
            depth -= 1
        elif character == "," and not quoted and not depth:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()]


def _text(argument: str) -> bytes:
    assert re.fullmatch(r'".*"', argument, re.DOTALL), argument[:200]
    return ast.literal_eval("b" + argument)


def _unescape(text: str) -> str:
    return ast.literal_eval('b"' + text.replace('"', '\\"') + '"').decode()


def _below(path: str, root: str) -> str | None:
    if path == root:
        return "."
    return os.path.relpath(path, root) if path.startswith(root + "/") else None


@dataclass
class _File:
    data: bytearray = field(default_factory=bytearray)
    synced: bytes | None = None


@dataclass
class _Link:
    target: str


@dataclass
class _Directory:
    """`entries` is what a running system sees; `synced` is what a power cut leaves."""

    entries: dict[str, object] = field(default_factory=dict)
    synced: dict[str, object] = field(default_factory=dict)


class Disk:
    """A directory tree with what is visible and what is durable; begins with a tree that is both."""

    def __init__(self, start: Path) -> None:
        self._root = _read(start)
        # strace's `write` on an appending descriptor has no offset; ours are all at the end or one call a file.
        self._position: dict[int, int] = {}

    def apply(self, call: Call) -> None:
        if call.path == ".":
            if call.name == "fsync":
                self._root.synced = dict(self._root.entries)
            return
        directory, name = self._parent(call.path)
        node = directory.entries.get(name)
        if call.name == "create":
            if node is None:
                directory.entries[name] = _File()
            elif isinstance(node, _File):
                self._position[id(node)] = 0
        elif call.name == "write":
            start = len(node.data) if call.offset < 0 else call.offset
            node.data[start : start + len(call.data)] = call.data
        elif call.name == "truncate":
            del node.data[call.size :]
        elif call.name == "fsync":
            if isinstance(node, _File):
                node.synced = bytes(node.data)
            else:
                node.synced = dict(node.entries)
        elif call.name == "rename":
            other, new = self._parent(call.other)
            other.entries[new] = directory.entries.pop(name)
        elif call.name == "remove":
            del directory.entries[name]
        elif call.name == "mkdir":
            directory.entries[name] = _Directory()
        elif call.name == "symlink":
            directory.entries[name] = _Link(call.other)

    def _parent(self, path: str) -> tuple[_Directory, str]:
        node = self._root
        *parents, name = path.split("/")
        for parent in parents:
            node = node.entries[parent]
            while isinstance(node, _Link):  # only `trust/current` and the like, one level
                raise AssertionError(f"a write through a link: {path}")
        return node, name

    def killed(self, target: Path) -> None:
        """Write what is there when the process dies and the machine goes on."""
        _write(self._root, target, names=lambda node: node.entries, data=lambda node: bytes(node.data))

    def power_cut(self, target: Path) -> None:
        """Write what was synced, and nothing else."""
        _write(self._root, target, names=lambda node: node.synced, data=lambda node: node.synced or b"")

    def names_only(self, target: Path) -> None:
        """Write every name that was made, with only those bytes that were synced."""
        _write(self._root, target, names=lambda node: node.entries, data=lambda node: node.synced or b"")

    def state(self, how: str) -> object:
        """Return a value that is equal for equal disks."""
        names = (lambda node: node.synced) if how == "power_cut" else (lambda node: node.entries)
        data = (lambda node: bytes(node.data)) if how == "killed" else (lambda node: node.synced or b"")

        def value(node: object) -> object:
            if isinstance(node, _Link):
                return node.target
            if isinstance(node, _File):
                return data(node)
            return frozenset((name, value(child)) for name, child in names(node).items())

        return value(self._root)


def _read(path: Path) -> _Directory:
    directory = _Directory()
    for entry in path.iterdir():
        if entry.is_symlink():
            directory.entries[entry.name] = _Link(os.readlink(entry))
        elif entry.is_dir():
            directory.entries[entry.name] = _read(entry)
        else:
            data = entry.read_bytes()
            directory.entries[entry.name] = _File(bytearray(data), data)
    directory.synced = dict(directory.entries)
    return directory


def _write(node: _Directory, target: Path, *, names, data) -> None:
    target.mkdir(mode=0o755)
    for name, child in names(node).items():
        path = target / name
        if isinstance(child, _Link):
            path.symlink_to(child.target)
        elif isinstance(child, _Directory):
            _write(child, path, names=names, data=data)
        else:
            path.write_bytes(data(child))
            path.chmod(0o644)
