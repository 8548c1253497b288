"""The scikit-learn that saved a model, and what to do where it is not the one at hand."""

from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from sealift_bundler.errors import SourceError

_NAME = "scikit-learn"


def check_saved_by(saved: str, what: str) -> None:
    """Refuse a model that another minor version of scikit-learn saved: its pickle may load and answer differently.

    Args:
        saved: the version that the model names.
        what: the file or directory, for the message.

    Raises:
        SourceError: it is of another minor version; the message says how to go on.
    """
    installed = version(_NAME)
    if saved.split(".")[:2] == installed.split(".")[:2]:
        return
    raise SourceError(
        f"{what} was saved by scikit-learn {saved}, and this is {installed}: a pickle of another version may load and "
        f"answer differently; {_remedy(saved, _supported())}"
    )


def _supported() -> SpecifierSet:
    """The versions of scikit-learn that this Sealift takes."""
    wanted = (Requirement(line) for line in requires("sealift") or ())
    return next((each.specifier for each in wanted if each.name == _NAME), SpecifierSet())


def _remedy(saved: str, supported: SpecifierSet) -> str:
    try:
        taken = Version(saved) in supported
    except InvalidVersion:
        taken = False
    if taken:
        return f"run pip install 'scikit-learn=={saved}', or save it again"
    return (
        f"Sealift takes scikit-learn {supported}: train and save it with one of these, or, where scikit-learn {saved} "
        "is installed, export it with skl2onnx.to_onnx and convert the .onnx file"
    )
