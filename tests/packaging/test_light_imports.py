"""`import sealift` costs an application next to nothing, and the loader never reaches for the workshop."""

import json
import pkgutil
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

import sealift

ROOT = Path(__file__).parents[2]

# Code that opens private keys or makes signatures.
SIGNING = (
    "sealift_keys.ceremony.beginning",
    "sealift_keys.keyfiles.private",
    "sealift_keys.keyfiles.passphrase",
    "sealift_keys.keyfiles.remote",
    "sealift_keys.ceremony.revocation",
    "sealift_keys.ceremony.rotation",
    "sealift_keys.keyfiles.signers",
    "sealift_keys.ceremony.signing",
)
WORKSHOP = ("onnx", "sklearn", "skl2onnx", "joblib", "scipy", "pandas", "sealift_bundler", *SIGNING)


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running `code`."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    return set(json.loads(child.stdout.splitlines()[-1]))


def within(modules: set[str], *packages: str) -> list[str]:
    return sorted(name for name in modules if any(name == top or name.startswith(f"{top}.") for top in packages))


def test_import_sealift_loads_nothing_heavy() -> None:
    heavy = (*WORKSHOP, "numpy", "onnxruntime", "tuf", "securesystemslib", "cryptography", "click")
    assert within(modules_after("import sealift"), *heavy) == []


def test_loading_needs_neither_the_update_client_nor_its_http_library() -> None:
    loaded = modules_after("import sealift.loading, sealift.store, sealift.model.model")
    assert within(loaded, "tuf.ngclient", "urllib3", "requests", *WORKSHOP) == []


@pytest.mark.parametrize(
    ("module", "group"),
    [("sealift", "cli"), ("sealift_bundler", "command"), ("sealift_keys", "command"), ("sealift_pipeline", "command")],
)
def test_help_imports_no_subcommand_and_says_what_each_says_itself(module, group):
    code = (
        f"from {module}.cli import {group} as group\nimport contextlib, io\n"
        "with contextlib.redirect_stdout(io.StringIO()): group.main(['--help'], standalone_mode=False)"
    )
    loaded = modules_after(code)
    assert within(loaded, "numpy", "onnxruntime", "tuf", "securesystemslib", "cryptography", "sklearn", "pandas") == []
    assert [name for name in loaded if name.startswith(f"{module}.cli.")] == []
    cli = import_module(f"{module}.cli")
    found: click.Group = getattr(cli, group)
    context = click.Context(found)
    assert {
        name: command.get_short_help_str(limit=1000)
        for name in found.list_commands(context)
        if (command := found.get_command(context, name))
    } == cli.SENTENCES


def test_a_model_of_numbers_imports_neither_text_front_ends_nor_reviews():
    loaded = modules_after("import sealift.loading, sealift.store, sealift.model.model, sealift.model.runtime.onnx")
    unused = ("sealift_common.review", "sealift.policy.verdict", "sealift.policy.own", "tomllib", "mmap")
    assert within(loaded, *unused, "sealift.model.frontend.document", "sealift.model.frontend.tokenizer") == []


def test_an_application_never_imports_what_serves() -> None:
    serving = ("uvicorn", "httptools", "h11", "sealift.serving")
    loaded = modules_after(
        "import sealift; sealift.load; import sealift.model.model, sealift.following, sealift.testing.store"
    )
    assert within(loaded, *serving) == []
    # It would have said something.
    assert "uvicorn" in within(modules_after("import sealift.serving.server"), *serving)


def test_importing_every_module_of_the_loader_loads_neither_workshop_nor_signing_code() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(sealift.__path__, "sealift.")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 5
    loaded = modules_after("\n".join(f"import {name}" for name in names))
    assert set(names) <= loaded
    assert within(loaded, *WORKSHOP) == []


def test_the_signing_modules_exist_under_the_names_that_are_banned() -> None:
    # Otherwise a rename would quietly empty the two tests above.
    assert [name for name in SIGNING if find_spec(name) is None] == []


def test_the_wings_import_in_one_direction() -> None:
    lint_imports = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert lint_imports is not None
    check = subprocess.run([lint_imports], cwd=ROOT, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stdout + check.stderr
