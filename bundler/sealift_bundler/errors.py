"""Every error that building a release raises, beside those of the loader and the keys."""

from sealift.errors import Error


class ConversionError(Error):
    """No rung of the ladder produced a graph; the message names the step that cannot be converted."""

    exit_code = 50
    code = "conversion"


class ParityError(Error):
    """The converted model gave other answers than the original; the message names the worst rows."""

    exit_code = 51
    code = "parity"


class RecipeError(Error):
    """The recipe has an unknown key, a missing value, or names something that does not exist."""

    exit_code = 52
    code = "recipe"


class GateError(Error):
    """A release is not fit to leave: signatures are missing, or a check before packing failed."""

    exit_code = 54
    code = "gate"


class SourceError(Error):
    """The trained model or its samples cannot be read: a missing module, another version, other columns."""

    exit_code = 56
    code = "source"
