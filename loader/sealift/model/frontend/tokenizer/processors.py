"""The special tokens that a `tokenizer.json` puts around a text: known ones, in a template that ends. Pure."""

from collections.abc import Mapping

from sealift.errors import LimitError
from sealift.limits import LIMITS
from sealift.model.documents.fields import Fields
from sealift.model.frontend.tokenizer.parts import walk

# Types of token that a model tells apart: the first text, the second one, and some to spare.
_TYPES = 16


class Processors:
    """Checks post-processors, and counts the special tokens that they put around one text."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        """Take the id of each token, by its text."""
        self._ids = ids
        self.before = self.after = 0

    def check(self, fields: Fields) -> None:
        """Check a post-processor and those in it.

        Raises:
            MalformedError: a type or setting that is not known, or a token that the vocabulary does not have.
            LimitError: more parts than the limits.
        """
        known = {
            "BertProcessing": self._pair,
            "RobertaProcessing": self._roberta,
            "ByteLevel": self._byte_level,
            "TemplateProcessing": self._template,
        }
        walk(fields, known, "processors")

    def _pair(self, fields: Fields) -> None:
        for key in ("sep", "cls"):
            token = fields.array(key)
            if len(token) != 2 or not isinstance(token[0], str):
                raise fields.refuse(f"has {key} {token!r:.80}; expected a token and its id")
            self._require(fields, token[0], token[1])
        self.before += 1
        self.after += 1

    def _roberta(self, fields: Fields) -> None:
        self._pair(fields)
        self._byte_level(fields)

    def _byte_level(self, fields: Fields) -> None:
        for key in ("add_prefix_space", "trim_offsets", "use_regex"):
            fields.optional_boolean(key)

    def _template(self, fields: Fields) -> None:
        special = fields.object("special_tokens")
        names = special.keys()
        if len(names) > LIMITS.tokenizer_template:
            raise LimitError(f"{special.where} has {len(names):,} tokens; expected at most {LIMITS.tokenizer_template}")
        lengths = {name: self._special(special.object(name), name) for name in names}
        for key in ("single", "pair"):
            places = fields.array(key)
            if len(places) > LIMITS.tokenizer_template:
                raise LimitError(
                    f"{fields.where}.{key} has {len(places):,} places; expected at most {LIMITS.tokenizer_template}"
                )
            texts: list[str] = []
            around = [0, 0]
            for place in fields.objects(key, lambda place: place):
                kind = "SpecialToken" if place.has("SpecialToken") else "Sequence"
                token = place.object(kind)
                name = token.text("id")
                if token.integer("type_id") >= _TYPES:
                    raise token.refuse(f"has a type_id beyond {_TYPES - 1}")
                token.close()
                place.close()
                if kind == "Sequence":
                    texts.append(name)
                elif name not in lengths:
                    raise token.refuse(f"names the special token {name[:80]!r}, which special_tokens do not have")
                else:
                    around[bool(texts)] += lengths[name]
            expected = ["A"] if key == "single" else ["A", "B"]
            # Older files have no template for pairs, which are never asked for.
            if sorted(texts) != expected and not (key == "pair" and not places):
                raise fields.refuse(f"has {texts!r:.80} among the places of {key!r}; expected {expected}")
            if key == "single":
                self.before += around[0]
                self.after += around[1]

    def _special(self, fields: Fields, name: str) -> int:
        if fields.text("id") != name:
            raise fields.refuse("has another id than its name")
        ids, tokens = fields.array("ids"), fields.texts("tokens")
        fields.close()
        if not 1 <= len(ids) <= LIMITS.tokenizer_template or len(ids) != len(tokens):
            raise fields.refuse(f"has {len(ids):,} ids for {len(tokens):,} tokens; expected one or more, and as many")
        for token, number in zip(tokens, ids, strict=True):
            self._require(fields, token, number)
        return len(ids)

    def _require(self, fields: Fields, token: str, number: object) -> None:
        if type(number) is not int or self._ids.get(token) != number:
            raise fields.refuse(
                f"names the token {token[:80]!r} of id {number!r:.20}, which the vocabulary does not have"
            )
