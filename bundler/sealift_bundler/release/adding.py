"""Bring one model version from its recipe into a channel: convert, prove, write blobs, stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealift_bundler.errors import RecipeError
from sealift_bundler.release.recipe import Recipe
from sealift_bundler.release.staging import check_may_add, stage
from sealift_common.blob import Blob
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from pathlib import Path

    from securesystemslib.signer import Signer

    from sealift.model.documents.description import Tolerance
    from sealift_bundler.release.modelpack import Descriptor


@dataclass(frozen=True)
class Added:
    """Result of `add`: `outcome` is 'added', 'replaced' or 'unchanged'; rung and parity are the conversion's."""

    model: ModelVersion
    reference: Blob
    outcome: str
    rung: str
    parity: Mapping[str, Any]
    tolerance: "Tolerance"


def add(recipe: Recipe, channel: Channel, *, model_signer: "Signer | None" = None, benchmark: bool = False) -> Added:
    """Convert the recipe's model with proof, write its blobs and stage it for the next release.

    Args:
        model_signer: a P-256 key that signs the model's files as `model.sig`, for third parties.
        benchmark: record how fast the model answers here; its bytes are then others every time.

    Raises:
        RecipeError: `[convert]` holds an option that no converter takes.
        ConversionError: no rung of the ladder can convert it.
        ParityError: the converted model gives other answers.
        SourceError: the model or its samples cannot be read, or a module of `import` is not found or raises.
        ChannelError: the version is withdrawn, or released with other bytes.
        KeyFileError: the model's key is not a P-256 key.
    """
    # Converters take seconds to import and minutes to run: refuse what cannot be staged before that.
    check_may_add(channel, recipe.model)
    from sealift_bundler.release.model_signature import FILE_NAME, p256_key, sign_model

    if model_signer is not None:
        p256_key(model_signer)
    for option in recipe.options:
        # Silently ignored, an option would be taken for obeyed.
        raise RecipeError(
            f"{recipe.path}: [convert] option {option!r} is not known; no converter takes options, remove it"
        )
    from sealift_bundler import convert
    from sealift_bundler.release.modelpack import write_model

    conversion = convert(
        recipe.source,
        recipe.samples,
        name=recipe.model.name,
        version=str(recipe.model.version),
        tolerance=_tolerance(recipe),
        imports=recipe.imports,
    )
    if benchmark:
        from sealift_bundler.proof.recording import with_benchmark

        conversion = with_benchmark(conversion)
    files: dict[str, bytes | Path] = {**conversion.files, **recipe.documents}
    if model_signer is not None:
        files[FILE_NAME] = sign_model(recipe.model.name, files, model_signer)
    reference = write_model(channel.blobs_dir, recipe.model, files, descriptor_of(recipe))
    outcome = stage(channel, recipe.model, reference)
    return Added(recipe.model, reference, outcome, conversion.rung, conversion.parity, conversion.description.tolerance)


def _tolerance(recipe: Recipe) -> "Tolerance":
    from sealift.model.documents.description import Tolerance
    from sealift_bundler.proof.parity import DEFAULT_TOLERANCE as DEFAULT

    return Tolerance(
        atol=DEFAULT.atol if recipe.atol is None else recipe.atol,
        rtol=DEFAULT.rtol if recipe.rtol is None else recipe.rtol,
    )


def descriptor_of(recipe: Recipe) -> "Descriptor":
    """Return the manifest's descriptor, which is for people."""
    from sealift_bundler.release.modelpack import Descriptor

    return Descriptor(
        title=recipe.title,
        description=recipe.description,
        authors=list(recipe.authors),
        licenses=list(recipe.licenses),
        created_at=recipe.creation_time(),
        revision=recipe.revision,
        vendor=recipe.vendor,
        source_url=recipe.source_url,
    )
