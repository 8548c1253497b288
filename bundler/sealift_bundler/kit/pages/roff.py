"""Text as a manual page writes it: what a formatter would take for an instruction is escaped. Pure."""

import inspect
import re
import textwrap
from collections.abc import Iterator

_CODE = re.compile(r"`([^`]+)`")
_WIDTH = 77


def escape(text: str) -> str:
    """Write one line of text for roff, in ASCII."""
    return _no_request(_escape(text))


def bold(text: str) -> str:
    """Write what is typed as it stands."""
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    """Write what stands for something else."""
    return f"\\fI{escape(text)}\\fR"


def sentence(text: str) -> str:
    """Write running text, in lines of at most 79 characters; what is `in backquotes` becomes bold."""
    parts = _CODE.split(" ".join(text.split()))
    whole = "".join(bold(part) if place % 2 else _escape(part) for place, part in enumerate(parts))
    lines = textwrap.wrap(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(_no_request(line) for line in lines)


def _escape(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("^", "\\(ha")
    escaped = escaped.replace("~", "\\(ti").replace('"', "\\(dq")
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in escaped)


def _no_request(line: str) -> str:
    """Keep a line from being taken for a request, which begins with one of these two."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def paragraphs(text: str) -> Iterator[str]:
    """Yield the lines of a command's help; a paragraph that begins with click's mark (a backspace) keeps its lines."""
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(text).strip())
    for place, block in enumerate(blocks):
        if place:
            yield ".PP"
        kept, lines = block.startswith("\b"), block.lstrip("\b\n").splitlines()
        if kept:
            yield from [".nf", *map(escape, lines), ".fi"]
        else:
            yield sentence(" ".join(lines))
