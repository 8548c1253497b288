"""A version of a model in a registry, as a recipe names it; reading a recipe opens no connection. Pure."""

from dataclasses import dataclass

from sealift.registry.models.place import RegistryPlace


@dataclass(frozen=True)
class RegisteredSource:
    """A version in a registry.

    Attributes:
        version: of GitLab its SemVer, of MLflow its number.
        digest: of its files, as `digest_of_files` makes it; "" where the recipe does not pin it yet.
    """

    place: RegistryPlace
    name: str
    version: str
    digest: str

    def __str__(self) -> str:
        return f"mlflow://models/{self.name}/{self.version}"
