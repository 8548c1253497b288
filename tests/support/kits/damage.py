"""What happens to files of a kit: each becomes something else, or other bytes."""

import os
import shutil


def make_link(path, outside):
    shutil.move(path, outside)
    path.symlink_to(outside)


def make_pipe(path, _outside):
    path.unlink()
    os.mkfifo(path)


def make_device(path, _outside):
    path.unlink()
    path.symlink_to("/dev/zero")


def make_folder(path, _outside):
    path.unlink()
    path.mkdir()


def make_sparse(path, _outside):
    os.truncate(path, 2 * 1024**3)


def any_bytes(rng, data):
    choice = rng.randrange(6)
    at = rng.randrange(len(data) + 1)
    if choice == 0:
        return data[:at]
    if choice == 1:
        return data[:at] + rng.randbytes(rng.randint(1, 40)) + data[at:]
    if choice == 2:
        return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    if choice == 3:
        lines = data.splitlines(keepends=True)
        rng.shuffle(lines)
        return b"".join(lines[: rng.randint(0, len(lines))])
    if choice == 4:
        return data * 2
    return rng.randbytes(rng.randint(0, 2000))


def any_value(rng, depth=0):
    makers = [
        lambda: rng.choice([None, True, False, 0, -1, 2**64, 1.5, "", "x" * 300, "cp311", "\ud800", "../x", "1.0.0"]),
        lambda: [any_value(rng, depth + 1) for _ in range(rng.randrange(4))],
        lambda: {str(any_value(rng, 9)): any_value(rng, depth + 1) for _ in range(rng.randrange(4))},
    ]
    return rng.choice(makers[: 1 if depth > 3 else 3])()
