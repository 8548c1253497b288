"""Regular expressions and character maps that are published and known to be bounded; no others run on texts.

A regular expression of a stranger's can take exponential time, and a damaged character map ends the process.
"""

_ENGLISH = "'s|'t|'re|'ve|'m|'ll|'d"
_ANY_CASE = f"(?i:{_ENGLISH})"
_SPACES = r"\s+(?!\S)|\s+"
_LINES = r"\s*[\r\n]+|" + _SPACES
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|" + _LINES
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_WORDS = r"[^\r\n\p{L}\p{N}]?"
_ASCII_SIGNS = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~]"
_CLIP = _ENGLISH + r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

# Of pre-tokenizers that split.
_GPT2 = _ENGLISH + r"| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|" + _SPACES
_CL100K = _ANY_CASE + "|" + _WORDS + r"\p{L}+|\p{N}{1,3}|" + _SIGNS  # Llama 3 as well
_QWEN = _ANY_CASE + "|" + _WORDS + r"\p{L}+|\p{N}|" + _SIGNS
_O200K = (
    f"{_WORDS}{_UPPER}*{_LOWER}+{_ANY_CASE}?|{_WORDS}{_UPPER}+{_LOWER}*{_ANY_CASE}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + _LINES
)
_DEEPSEEK = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    # With line ends themselves, where others name them.
    _ASCII_SIGNS
    + "[A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|"
    + _SPACES,
)
SPLITTING = frozenset([_GPT2, _CL100K, _QWEN, _O200K, *_DEEPSEEK, _CLIP, r"<\|startoftext\|>|<\|endoftext\|>|" + _CLIP])
# Of normalizers that replace: runs of white space, in CLIP and in what is made of SentencePiece's models.
REPLACING = frozenset([" {2,}", r"\s+", r"\s{2,}", r"\s{2,}|[\n\r\t]", r"[\n\r\t]"])

# SHA-256 of SentencePiece's character maps, by rule and by the releases that write them.
CHARACTER_MAPS = frozenset(
    [
        # nmt_nfkc: 0.1.99 to 0.2.0, 0.2.3; T5, ALBERT and XLM-RoBERTa have the first
        "51d3684747b35ef99cd4802f37cc1ee0c6bec4d060814f774efb1066d3c167f2",
        "1e2c7b43d3ee9755ceaa2ac335e253d8703604e0249ee1e81156c92b46423844",
        # nfkc
        "557b5397b1133d8abb62f7923e5b53ee496d3e36b9f63fd42625077c33688a14",
        "7e46d9e08af4b6a37991b04fb8388644c1595a0abcd0f26d6a5d575e2a3663ea",
        # nmt_nfkc_cf
        "6cec34e8016fd0d0a2da28b60b00e36b19a275df83786bf6b494bd033c708f83",
        "2c03512e62f9ed965ec90d85314211b63b5b8aa0395311ea2147eec9ff738907",
        # nfkc_cf
        "b30e4085ba1fad56d2401f4612419b6b3b42c5adc1e04f3aa1806399895d6bdd",
        "d8dfef3d6db0eef0742f8b55a73aee7fce6c1e21d26a09b8d3d4b52c42a791cb",
    ]
)
