"""A tokenizer as `frontend.json` declares it, and whether its file is the one that it declares. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sealift.errors import DigestError, LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.description import FRONTEND_FILE, TensorInput
from sealift.model.documents.fields import Fields
from sealift.model.documents.file_set import is_side_file
from sealift.model.frontend.tokenizer.check import Checked, check_tokenizer
from sealift_common.blob import is_digest
from sealift_common.oci.layout import is_file_name, sha256

TOKENIZER = "tokenizer"
# So that a bundle shows which of its files are to be checked before its documents are read.
SUFFIX = "tokenizer.json"
# What of a text's tokens an input of the graph takes.
IDS, MASK, TYPES = "ids", "mask", "types"
_DTYPES = ("int32", "int64")


class DeclaredTokenizer(NamedTuple):
    """One declared tokenizer.

    `file` is a side file and `digest` its SHA-256; `max_tokens` are the most tokens of a text, special ones included.
    `embedding_rows` are the ids that the graph knows. `inputs` maps "ids", "mask" and "types" to inputs of the graph.
    `prefix` says that the beginning of a long text has the tokens that the whole text begins with.
    """

    file: str
    digest: str
    max_tokens: int
    embedding_rows: int
    inputs: Mapping[str, str]
    prefix: bool


def parse_tokenizer(fields: Fields) -> DeclaredTokenizer:
    """Read one front end of the kind "tokenizer".

    Raises:
        MalformedError, LimitError: it is not as the schema demands.
    """
    declared = DeclaredTokenizer(
        file=fields.text("file"),
        digest=fields.text("digest"),
        max_tokens=fields.integer("max_tokens", at_least=1),
        embedding_rows=fields.integer("embedding_rows", at_least=1),
        inputs=_inputs(fields.object("inputs")),
        prefix=fields.boolean("prefix"),
    )
    fields.close()
    if not (is_file_name(declared.file) and is_side_file(declared.file) and declared.file.endswith(SUFFIX)):
        raise fields.refuse(f"has the file {declared.file[:80]!r}; expected a plain name that ends in {SUFFIX!r}")
    if not is_digest(declared.digest):
        raise fields.refuse(f"has the digest {declared.digest[:80]!r}; expected sha256:<64 hexadecimal digits>")
    if declared.max_tokens > LIMITS.text_tokens:
        raise LimitError(f"{fields.where}.max_tokens is {declared.max_tokens:,}; expected 1 to {LIMITS.text_tokens:,}")
    return declared


def _inputs(fields: Fields) -> dict[str, str]:
    found = {IDS: fields.text(IDS)}
    for key in (MASK, TYPES):
        name = fields.optional_text(key)
        if name is not None:
            found[key] = name
    fields.close()
    if len(set(found.values())) < len(found):
        raise fields.refuse("names one input twice")
    return found


def check_inputs(tensors: Sequence[TensorInput], declared: DeclaredTokenizer) -> None:
    """Check that the inputs of the graph are those that a tokenizer makes.

    Raises:
        MalformedError: they are not.
    """
    names = {tensor.name for tensor in tensors}
    if names != set(declared.inputs.values()):
        raise MalformedError(
            f"{FRONTEND_FILE} makes the inputs {sorted(declared.inputs.values())!r:.200} of a text; "
            f"the graph takes {sorted(names)!r:.200}"
        )
    for tensor in tensors:
        if tensor.dtype not in _DTYPES or not all(isinstance(size, str) for size in tensor.shape):
            raise MalformedError(
                f"input {tensor.name!r} has dtype {tensor.dtype} and shape {list(tensor.shape)}; expected int32 or "
                "int64, of any number of rows and tokens"
            )


def check_declared(declared: DeclaredTokenizer, data: bytes | None, where: str) -> Checked:
    """Check the file that a tokenizer declares, before the library sees it.

    Args:
        declared: the front end.
        data: the file; None where the version has none of its name.
        where: the model, for messages.

    Raises:
        MalformedError, LimitError, DigestError: see `require_digest`, `check_tokenizer` and `check_facts`.
    """
    if data is None:
        raise MalformedError(f"{where} lacks {declared.file!r}, which its {FRONTEND_FILE} names")
    require_digest(declared, sha256(data), where)
    checked = check_tokenizer(data, declared.file)
    check_facts(declared, checked, where)
    return checked


def require_digest(declared: DeclaredTokenizer, digest: str, where: str) -> None:
    """Check that a file is the one that a tokenizer declares.

    Raises:
        DigestError: it is another one.
    """
    if digest != declared.digest:
        raise DigestError(f"{declared.file!r} of {where} has {digest}; its {FRONTEND_FILE} says {declared.digest}")


def check_facts(declared: DeclaredTokenizer, checked: Checked, where: str) -> None:
    """Check that what a tokenizer's file was found to be fits its declaration.

    Raises:
        MalformedError: it knows more tokens than the graph, or puts more around a text than a text may have.
    """
    if checked.tokens > declared.embedding_rows:
        raise MalformedError(
            f"{declared.file!r} of {where} knows {checked.tokens:,} tokens; the graph knows {declared.embedding_rows:,}"
        )
    if checked.specials >= declared.max_tokens:
        raise MalformedError(
            f"{declared.file!r} of {where} puts {checked.specials} tokens around a text; max_tokens is "
            f"{declared.max_tokens}, which leaves none for the text"
        )


def tokenizers_of(frontends: Iterable[object]) -> list[DeclaredTokenizer]:
    """Return the tokenizers among front ends."""
    return [one for one in frontends if isinstance(one, DeclaredTokenizer)]
