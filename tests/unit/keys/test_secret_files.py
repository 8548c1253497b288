"""Keys, passphrases, PINs and logins are guarded by one rule, and none of them makes a command wait."""

import errno
import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.machine import mounts

from sealift.errors import LocalError
from sealift.registry.credentials import find_login
from sealift_common.errors import Error, KeyFileError
from sealift_common.files import secret_file
from sealift_common.files.secret_file import require_private_mode
from sealift_keys.keyfiles import private as keyfile
from sealift_keys.keyfiles.passphrase import PassphraseSource

KEY = Path("k.pem")
STRANGER = 65534


def passphrases(*files):
    return PassphraseSource(
        files=files, environment={} if files else {"SEALIFT_PASSPHRASE": "correct horse"}, prompt=None
    )


def login(path):
    return find_login("host", "a", {"DOCKER_CONFIG": str(path.parent)})


# How each kind of secret file is made, and how it is used.
KINDS = {
    "key": (
        lambda path: keyfile.create(path, passphrases(), name="k"),
        lambda path: keyfile.load_signer(path, passphrases()),
    ),
    "passphrase": (lambda path: path.write_text("pw\n"), lambda path: passphrases(path).existing(KEY)),
    "new passphrase": (lambda path: path.write_text("correct horse\n"), lambda path: passphrases(path).new(KEY)),
    "PIN": (lambda path: path.write_text("1234\n"), lambda path: passphrases(path).pin(KEY)),
    "login": (
        lambda path: path.write_text(json.dumps({"auths": {"host": {"username": "ann", "password": "pw"}}})),
        login,
    ),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def secret(tmp_path, kind):
    """A good one, alone in its folder."""
    (tmp_path / "mine").mkdir(mode=0o755)
    path = tmp_path / "mine" / "config.json"
    kind[0](path)
    path.chmod(0o600)
    return path


def refuses(use, path, *words):
    with pytest.raises((KeyFileError, LocalError)) as caught:
        use(path)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_private_file_is_taken(secret, kind):
    kind[1](secret)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused(secret, kind, mode):
    secret.chmod(mode)
    refuses(kind[1], secret, f"has mode {mode:04o}, others may read it; run: chmod 600 {shlex.quote(str(secret))}")
    secret.chmod(0o600)
    kind[1](secret)


def test_a_file_of_somebody_else_is_refused(secret, kind):
    os.chown(secret, STRANGER, -1)
    refuses(kind[1], secret, f"belongs to uid {STRANGER}", "expected this user or root")


@pytest.mark.parametrize("mode", [0o777, 0o757])
def test_a_folder_that_others_may_write_is_refused_and_a_sticky_one_is_not(secret, kind, mode):
    secret.parent.chmod(mode)
    refuses(kind[1], secret, "which others may write; run `chmod go-w")
    secret.parent.chmod(mode | stat.S_ISVTX)
    kind[1](secret)


def test_a_folder_of_a_group_is_refused_unless_it_is_the_group_of_root(secret, kind):
    secret.parent.chmod(0o775)
    os.chown(secret.parent, -1, STRANGER)
    refuses(kind[1], secret, "which others may write")
    os.chown(secret.parent, -1, 0)
    kind[1](secret)


def test_the_folder_of_a_link_counts_and_so_does_where_it_leads(secret, kind, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "config.json"
    link.symlink_to(secret)
    kind[1](link)
    link.parent.chmod(0o777)
    refuses(kind[1], link, "which others may write")
    link.parent.chmod(0o755)
    secret.parent.chmod(0o777)
    refuses(kind[1], link, "which others may write")


def test_a_pipe_or_a_device_is_refused_at_once(secret, kind):
    secret.unlink()
    os.mkfifo(secret, 0o600)
    refuses(kind[1], secret, str(secret))
    secret.unlink()
    secret.symlink_to("/dev/zero")
    refuses(kind[1], secret, str(secret))


def test_on_a_read_only_mount_of_roots_the_mode_says_nothing(kind, tmp_path):
    with mounts.tmpfs(tmp_path / "volume", "size=1m") as volume:
        path = volume / "config.json"
        kind[0](path)
        path.chmod(0o644)
        volume.chmod(0o777)
        refuses(kind[1], path, "has mode 0644")
        mounts.remount(volume, "ro")
        kind[1](path)


def test_root_may_grant_a_file_to_a_group_of_the_user(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    path.touch()
    monkeypatch.setattr(secret_file.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(secret_file.os, "getgroups", lambda: [1000, 2000])
    os.chown(path, 0, 2000)
    path.chmod(0o440)
    require_private_mode(path, path.stat())
    for gid, mode in ((3000, 0o440), (2000, 0o444), (2000, 0o460)):
        os.chown(path, 0, gid)
        path.chmod(mode)
        with pytest.raises(KeyFileError, match="others may read it"):
            require_private_mode(path, path.stat())


def test_no_key_is_made_where_others_may_write(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(KeyFileError, match="which others may write"):
        keyfile.create(tmp_path / "k", passphrases(), name="k")
    assert os.listdir(tmp_path) == []


# --- what the caller opens ---------------------------------------------------------------------------

ASK = """
import sys
from pathlib import Path
from sealift_common.errors import Error
from sealift_keys.keyfiles.passphrase import PassphraseSource
source = PassphraseSource(files=(Path(sys.argv[1]),), environment={}, prompt=None)
try:
    print([source.existing(Path(key)) for key in "ab"])
except Error as error:
    sys.exit(str(error))
"""


def shell(line: str) -> subprocess.CompletedProcess[str]:
    line = line.replace("ASK", f"{shlex.quote(sys.executable)} -c {shlex.quote(ASK)}")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "line",
    [
        "ASK <(printf 'pw\\n')",
        "printf pw | ASK /dev/stdin",
        "ASK /dev/fd/7 7< <(sleep 0.2; echo pw)",
        "ASK /dev/stdin <<< pw",
    ],
    ids=["substitution", "stdin", "a pipe that is slow", "a here-string"],
)
def test_a_pipe_that_the_caller_opened_serves_all_keys(line):
    done = shell(line)
    assert (done.stdout, done.stderr) == ("[b'pw', b'pw']\n", "")


def test_a_file_that_the_caller_opened_is_guarded_as_well(tmp_path):
    (tmp_path / "pw").write_text("pw")
    done = shell(f"umask 022; ASK /dev/stdin < {tmp_path}/pw")
    assert "the file behind '/dev/stdin' has mode 0644" in done.stderr
    (tmp_path / "pw").chmod(0o600)
    assert shell(f"ASK /dev/stdin < {tmp_path}/pw").stdout == "[b'pw', b'pw']\n"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ASK /dev/stdin < /dev/null", "is neither a pipe nor a file"),
        ("ASK /dev/fd/63", "Bad file descriptor"),
        ("head -c 10000 /dev/zero | ASK /dev/stdin", "one line of at most 4096 bytes"),
        ("ASK <(:)", "is empty"),
    ],
)
def test_what_is_no_passphrase_is_one_line(line, said):
    done = shell(line)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert said in told


# --- bytes that are not UTF-8 -------------------------------------------------------------------------


def test_the_same_bytes_are_the_same_passphrase_in_a_file_and_in_a_variable(tmp_path):
    (tmp_path / "pw").write_bytes(b"pw\xff\n")
    (tmp_path / "pw").chmod(0o600)
    variable = PassphraseSource(environment={"SEALIFT_PASSPHRASE": os.fsdecode(b"pw\xff")}, prompt=None)
    assert passphrases(tmp_path / "pw").existing(KEY) == variable.existing(KEY) == b"pw\xff"
    with pytest.raises(KeyFileError, match=r"the PIN for 'k\.pem' is not UTF-8"):
        variable.pin(KEY)


def test_an_unusable_passphrase_is_not_called_wrong(tmp_path):
    keyfile.create(tmp_path / "k", passphrases(), name="k")
    with pytest.raises(Error, match="no passphrase for"):
        keyfile.load_signer(tmp_path / "k", PassphraseSource(environment={}, prompt=None))
    with pytest.raises(LocalError) as caught:
        keyfile.load_signer(tmp_path / "k", passphrases(tmp_path / "absent"))
    assert os.strerror(errno.ENOENT) in str(caught.value)
