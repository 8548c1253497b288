"""Write every page as HTML into a folder, as a kit carries them: `python docs/generate_html.py build/html`."""

import sys
from pathlib import Path

import sealift
from sealift_bundler.kit import carried
from sealift_bundler.kit.pages.html import html_pages


def main(folder: Path) -> None:
    """Write them, and say what to open."""
    pages = {name: page.read_text("utf-8") for name, page in carried.pages().items()}
    for name, page in html_pages(pages, sealift.__version__).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    for name, beside in carried.beside_pages().items():
        (folder / name).write_bytes(beside.read_bytes())
    print(f"open {folder / 'index.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
