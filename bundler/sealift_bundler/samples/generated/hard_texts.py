"""Texts that tokenizers disagree on: they travel as golden examples of every text encoder, and are proven."""

from sealift_bundler.samples.generated.words import PUBLIC_WORDS

# Empty and long, signs that are one for people and several for Unicode, from right to left, and of rare scripts.
HARD_TEXTS: tuple[str, ...] = (
    "",
    " ",
    " \t\r\n ",
    "a",
    "x" * 10_000,
    " ".join(PUBLIC_WORDS[place % len(PUBLIC_WORDS)] for place in range(2_000))[:10_000],
    "good \U0001f600 \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u202eleft\u202c",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd, \u06f1\u06f2\u06f3 \u0661\u066b\u0665",
    "e\u0301 a\u0308 o\u0302\u0323 \u1e69 q\u0307\u0323 \ufb01 \ufdfa \u00bd",
    "\U00012000\U00012001 \U0001d504\U0001d505 \u13a0\u13a1 \ua500\ua501 \u16a0\u16a2 \ue000 \U000f0000",
    "\u6771\u4eac\u90fd\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002\u30c6\u30b9\u30c8",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0928\u092e\u0938\u094d\u0924\u0947",
    "no\u00a0break\u2003em\u3000wide\u200bzero\ufeffmark\u00adsoft",
    "nul \x00 bell \x07 escape \x1b[0m unit \x1f next \x85 replaced \ufffd",
    "[CLS] [SEP] [MASK] <s> </s> <mask> <|endoftext|> ##ing \u2581word",
    "UPPER lower MiXeD \u0130stanbul stra\u00dfe \u1e9e",
    "1,234.56 \u0661\u0662\u0663 3.14e-10 0x7f 2026-11-30T08:00:00Z",
    "don't we'll they've he's it'd I'm you're 'tis''",
    "https://example.org/a?b=c&d=%20#e user@example.org C:\\x\\y",
    "!!!???...---___***((([[[{{{~~~```^^^",
)
