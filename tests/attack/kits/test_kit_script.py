"""The script of a kit as it is run: nothing that lies beside it runs, and nothing is installed into the kit."""

import errno
import os
import subprocess
import sys

from sealift_bundler.kit import install as script


def run(kit, *words):
    return subprocess.run([sys.executable, *words], cwd=kit, capture_output=True, text=True, check=False, timeout=120)


def test_without_the_option_that_keeps_modules_beside_it_out_it_says_so(kit, tmp_path):
    for name in ("argparse", "errno", "sitecustomize", "typing"):
        (kit / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    done = run(kit, "install.py", "--prefix", str(tmp_path / "opt"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "install.py: run it as `python3 -I install.py`, so that nothing next to it is imported [usage]\n"
    )
    done = run(kit, "-I", "install.py", "--prefix", str(tmp_path / "opt"))
    assert done.returncode == 10
    assert len(done.stderr.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == ["kit"]


def test_the_second_part_is_not_run_before_it_was_checked(kit, tmp_path):
    with (kit / "environments.py").open("a") as file:
        file.write(f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    done = run(kit, "-I", "install.py", "--prefix", str(tmp_path / "opt"))
    assert done.returncode == 26
    assert "'environments.py' of this kit is damaged" in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["kit"]


def test_nothing_is_installed_into_the_kit(kit, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(kit)
    before = sorted(kit.rglob("*"))
    out = str(tmp_path / "opt")
    for words in (
        ["--prefix", "relative/opt"],
        ["--prefix", "."],
        *(["--prefix", out, option, "here"] for option in ("--bin", "--man", "--completion")),
    ):
        assert script.main(kit, words) == 3
        said = capsys.readouterr().err
        assert f"{words[-2]} " in said
        assert "lies in the folder of the kit" in said
    assert sorted(kit.rglob("*")) == before


def test_a_prefix_without_rights_says_what_to_do(kit, monkeypatch, capsys):
    class Second:
        @staticmethod
        def install(*_):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/opt/sealift")

    monkeypatch.setattr(script, "second", lambda _: Second)
    assert script.main(kit, []) == 3
    assert "'/opt/sealift': Permission denied; run it as root, or give --prefix [local]" in capsys.readouterr().err
