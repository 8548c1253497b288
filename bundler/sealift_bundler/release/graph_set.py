"""Several graphs of one version: each converted and proven by itself, its files under its name."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import onnx
from onnx import external_data_helper

from sealift.model.documents.description import FILE_NAME, GRAPH_FILE, GRAPHS, LATEST_SCHEMA
from sealift.model.documents.file_set import shard
from sealift_bundler.errors import RecipeError
from sealift_bundler.proof.documents import canonical
from sealift_bundler.release.recipes.kinds import GraphRecipe
from sealift_bundler.release.recipes.recipe import Recipe

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion


def parts_of(recipe: Recipe) -> Mapping[str, GraphRecipe]:
    """Return what is to be converted: the graphs by their names, or the one model under ""."""
    if recipe.kind == GRAPHS:
        return recipe.graphs
    if recipe.source is None or recipe.samples is None:
        raise RecipeError(f"recipe {str(recipe.path)!r} has no source or no samples; add both")
    return {"": GraphRecipe(recipe.source, recipe.samples, recipe.golden)}


def files_of(recipe: Recipe, conversions: "Mapping[str, Conversion]") -> dict[str, bytes]:
    """Return the files of the version; those of several graphs have their names, and are described as a whole."""
    if recipe.kind != GRAPHS:
        return dict(conversions[""].files)
    files = {}
    for graph, conversion in conversions.items():
        for name, data in conversion.files.items():
            files[f"{graph}.{name}"] = _renamed(data, graph) if name == GRAPH_FILE else data
    files[FILE_NAME] = canonical(
        {
            "schema": LATEST_SCHEMA,
            "kind": GRAPHS,
            "name": recipe.model.name,
            "version": str(recipe.model.version),
            "graphs": sorted(conversions),
            "requires": _merged([json.loads(one.files[FILE_NAME])["requires"] for one in conversions.values()]),
        }
    )
    return files


def _renamed(graph: bytes, name: str) -> bytes:
    """Let a graph find its weights under their names in the version, also where ONNX Runtime opens it by its path."""
    if b"location" not in graph:
        return graph
    model = onnx.load_model_from_string(graph)
    moved = False
    for tensor in external_data_helper._get_all_tensors(model):  # noqa: SLF001 - onnx has no public form
        for entry in tensor.external_data:
            if entry.key == "location" and shard(entry.value):
                entry.value = f"{name}.{entry.value}"
                moved = True
    serialized: bytes = model.SerializeToString(deterministic=True)
    return serialized if moved else graph


def _merged(needs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what a machine needs that runs all of them."""
    versions = [[int(number) for number in one["onnxruntime"].split(".")[:3] if number.isdigit()] for one in needs]
    opsets: dict[str, int] = {}
    for one in needs:
        for domain, version in one["opsets"].items():
            opsets[domain] = max(version, opsets.get(domain, 0))
    merged: dict[str, Any] = {
        "onnxruntime": needs[versions.index(max(versions))]["onnxruntime"],
        "ir_version": max(one["ir_version"] for one in needs),
        "opsets": opsets,
    }
    for key in ("locales", "architectures"):
        found = sorted({value for one in needs for value in one.get(key, ())})
        merged |= {key: found} if found else {}
    return merged
