"""Every error that building a release raises, in addition to those of the loader and the keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from sealift.errors import Error


class ConversionError(Error):
    """No rung of the ladder produced a graph; the message names the step that cannot be converted."""

    exit_code = 50
    code = "conversion"
    remedy = "Change the step that the message names, or export the model to ONNX yourself."


class ParityError(Error):
    """The converted model gave other answers than the original; the message names the worst rows.

    Attributes:
        refusal: for a page about it: the model, the rungs that were tried, the parity report of the last one, and its
            worst rows with what went in. It holds values of the samples, and travels nowhere.
    """

    exit_code = 51
    code = "parity"
    remedy = "Change the model as the message says. A model whose answers changed is never packed."

    def __init__(self, message: str, refusal: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.refusal: Mapping[str, Any] = refusal or {}


class RecipeError(Error):
    """The recipe has an unknown key, a missing value, or names something that does not exist."""

    exit_code = 52
    code = "recipe"
    remedy = "Correct the key or path of the recipe that the message names."


class GateError(Error):
    """A release or a kit is not fit to leave: signatures or files are missing, or a check before packing failed."""

    exit_code = 54
    code = "gate"
    remedy = "Get the missing signatures or fix what the message names, then pack again."


class SourceError(Error):
    """The trained model or its samples cannot be read: a missing module, another version, other columns."""

    exit_code = 56
    code = "source"
    remedy = (
        "Install what the message names in the version that made the model, or give samples with the columns it "
        "was trained on."
    )


class DisclosureError(Error):
    """What would leave holds a secret or personal data; the message says of each finding what, where and how often."""

    exit_code = 60
    code = "disclosure"
    remedy = (
        "Take the values out of the data and documents and train again, or accept each finding in the recipe. "
        "Revoke a token that was found."
    )

    def __init__(self, message: str, findings: Sequence[Any] = (), unused: Sequence[Any] = ()) -> None:
        super().__init__(message)
        # Of `disclosure.Finding` and `disclosure.Acceptance`, a layer that knows these errors.
        self.findings = tuple(findings)
        self.unused = tuple(unused)


class DisclosureWarning(UserWarning):
    """A conversion holds what `sealift-bundler add` refuses: a secret or personal data."""


class UnapprovedError(Error):
    """A model version that is staged lacks the approval of a reviewer, or somebody rejected it."""

    exit_code = 61
    code = "unapproved"
    remedy = "Have the reviewers that the message names look at the version and run `sealift-keys review`."


class UntrustedPickleError(Error):
    """A pickle asks for a class or function that is not on the list, or calls one as no library does."""

    exit_code = 62
    code = "untrusted"
    remedy = (
        "Name what is your own in `trust_globals` of the recipe. Ask the file's author about any other name, or for "
        "skops or the library's own format."
    )
