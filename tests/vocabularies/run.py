"""Search a million words of Debian's dictionaries for false alarms of the disclosure scan.

`make vocabularies` runs this; it needs apt-get and no root. An alarm about a person whom a dictionary names as its author is
no false one, so lines of comment are left out.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sealift_bundler.disclosure import findings_in

# A dictionary's package, and its encoding.
PACKAGES = {
    "wamerican": "utf-8",
    "hunspell-en-us": "utf-8",
    "hunspell-de-de": "iso-8859-1",
    "hunspell-es": "utf-8",
    "hunspell-fr-classical": "utf-8",
    "hunspell-it": "iso-8859-1",
    "hunspell-nl": "utf-8",
    "hunspell-pl": "iso-8859-2",
}


def dictionaries(folder: Path, package: str) -> Iterator[Path]:
    subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (archive,) = folder.glob(f"{package}_*.deb")
    subprocess.run(["dpkg-deb", "--extract", archive, folder / package], check=True)
    for path in sorted((folder / package / "usr" / "share").rglob("*")):
        if path.is_file() and not path.is_symlink() and (path.suffix == ".dic" or path.parent.name == "dict"):
            yield path


def main() -> int:
    alarms = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for package, encoding in PACKAGES.items():
            for path in dictionaries(Path(folder), package):
                lines = path.read_text(encoding).splitlines()
                words = [line.split("/")[0].strip() for line in lines if not line.startswith(("#", "\t"))]
                # As a vectorizer hands them over, too.
                found = [*findings_in(words, path.name), *findings_in([word.lower() for word in words], path.name)]
                print(f"{path.name:20} {len(words):>9,} words", *(finding.line() for finding in found))
                alarms, total = alarms + len(found), total + len(words)
    print(f"{total:,} words, {alarms} alarms")
    return int(alarms > 0)


if __name__ == "__main__":
    sys.exit(main())
