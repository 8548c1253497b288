"""Tell a term that a generator made from one that people write: letters and digits without order. Pure.

Vectorizers change case and cut at everything that is not a letter or digit, so of most secrets one long term is left.
Words, names of classes, sizes and dates have their digits in one or two places; random characters have them all over.
Hexadecimal digits are digests as a rule, and never count; nor do formulas of chemistry.
"""

import re

MIN_CHARS = 16
# Longer ones are data: pictures in a page, signatures.
MAX_CHARS = 100

_HEX = re.compile(r"(?:0x)?[0-9a-f]+", re.ASCII | re.IGNORECASE)
# Hydrocarbons and what hangs on them, in any case.
_FORMULA = re.compile(
    r"c\d*h\d*(?:(?:br|ca|cl|co|cu|fe|li|mg|mn|na|se|si|zn|f|i|k|n|o|p|s)\d*)*", re.ASCII | re.IGNORECASE
)
_BORDER = re.compile(r"(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[a-zA-Z])", re.ASCII)
_CASE_BORDER = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[a-z])", re.ASCII)
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5,}", re.ASCII | re.IGNORECASE)
_SHORTEST_PIECE = 8
_FEW_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{4,}", re.ASCII | re.IGNORECASE)


def looks_random(term: str) -> bool:
    """Return whether ASCII letters and digits look like the output of a generator."""
    if not MIN_CHARS <= len(term) <= MAX_CHARS or _HEX.fullmatch(term) or _FORMULA.fullmatch(term):
        return False
    digits = sum(map(str.isdigit, term))
    letters = len(term) - digits
    if not digits or letters < 6:
        return False
    borders = len(_BORDER.findall(term))
    if term.islower() or term.isupper():
        # In 20 random characters of a base of 36, five or six digits stand alone or in twos.
        return borders >= 5 or (borders >= 3 and _CONSONANTS.search(term) is not None)
    cases = len(_CASE_BORDER.findall(term))
    # Of a CamelCase word, two in five neighbors differ in kind; of random characters, three in five.
    kinds = (borders + cases) / (len(term) - 1)
    return (borders >= 3 and kinds >= 0.4) or (borders >= 2 and kinds >= 0.5)


def is_piece(term: str) -> bool:
    """Return whether a term may be a piece of a token: for vocabularies in which a token's fixed beginning stands."""
    if not _SHORTEST_PIECE <= len(term) <= MAX_CHARS or not (term.isascii() and term.isalnum()) or _HEX.fullmatch(term):
        return False
    borders = len(_BORDER.findall(term))
    return borders >= 4 or (borders >= 2 and _FEW_CONSONANTS.search(term) is not None)
