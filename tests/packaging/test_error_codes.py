"""Every error has its own exit code and word, inside its range, and the reference page says so."""

import pkgutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import sealift
import sealift_bundler
import sealift_keys
import sealift_pipeline
from sealift_common.console import error_document

ROOT = Path(__file__).parents[2]
ERROR_MODULES = ("sealift_common.errors", "sealift.errors", "sealift_bundler.errors", "sealift_pipeline.errors")
RANGES = {
    "sealift_common.errors": {1, 2, 3, *range(10, 30), *range(50, 60)},
    "sealift.errors": {*range(10, 50)},
    "sealift_bundler.errors": {*range(50, 70)},
    "sealift_pipeline.errors": {*range(70, 80)},
}


def tree(cls: type[sealift.Error]) -> Iterator[type[sealift.Error]]:
    yield cls
    for child in cls.__subclasses__():
        yield from tree(child)


def error_classes() -> list[type[sealift.Error]]:
    for package in (sealift_keys, sealift, sealift_bundler, sealift_pipeline):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    return [cls for cls in tree(sealift.Error) if cls.__module__.startswith("sealift")]


def test_every_error_is_defined_in_an_errors_module() -> None:
    assert [cls for cls in error_classes() if cls.__module__ not in ERROR_MODULES] == []


def refines(cls: type[sealift.Error]) -> bool:
    """Whether a class says more exactly what another one says: it keeps that one's exit code, under a word of its own."""
    (base,) = cls.__bases__
    return base.__module__ in ERROR_MODULES and base is not sealift.Error and cls.exit_code == base.exit_code


def test_exit_codes_and_words_are_unique() -> None:
    classes = error_classes()
    assert len(classes) > 20
    for values in ([cls.exit_code for cls in classes if not refines(cls)], [cls.code for cls in classes]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_every_error_sets_its_own_code_inside_its_range() -> None:
    for cls in error_classes():
        assert {"exit_code", "code"} <= set(vars(cls)), f"{cls.__name__} inherits its code"
        assert refines(cls) or cls.exit_code in RANGES[cls.__module__], cls.__name__


def test_every_error_says_what_to_do_about_it() -> None:
    classes = error_classes()
    for cls in classes:
        assert "remedy" in vars(cls), f"{cls.__name__} inherits its remedy"
        # One or two short sentences of one line, fit for a table and for a log.
        assert cls.remedy.isprintable(), cls.__name__
        assert 20 <= len(cls.remedy) <= 160, cls.__name__
        assert cls.remedy.endswith("."), cls.__name__
    assert [text for text, count in Counter(cls.remedy for cls in classes).items() if count > 1] == []


def test_what_is_refused_by_trust_is_not_to_be_used_as_it_is() -> None:
    for cls in error_classes():
        # An expired release and a withdrawn version were good once; what to take instead is the remedy.
        if cls.exit_code in range(20, 30) and cls.code not in {"expired", "withdrawn"}:
            assert cls.remedy.startswith("Do not use the file. "), cls.__name__


def test_scripts_get_the_remedy() -> None:
    for cls in error_classes():
        error = cls("what happened") if cls is not sealift.PreflightError else cls([sealift.LockedError("what")])
        document = error_document(error)
        assert (document["code"], document["exit_code"], document["remedy"]) == (cls.code, cls.exit_code, cls.remedy)


def test_an_application_can_catch_every_error_of_loader_and_keys_from_sealift() -> None:
    wanted = {
        cls.__name__
        for cls in error_classes()
        if not cls.__module__.startswith(("sealift_bundler", "sealift_pipeline"))
    }
    assert {name for name in wanted if getattr(sealift, name, None) is None or name not in sealift.__all__} == set()


def test_the_reference_page_is_what_the_classes_say() -> None:
    command = [sys.executable, str(ROOT / "docs" / "generate_errors.py"), "--check"]
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    for cls in error_classes():
        assert f"| {cls.exit_code} | `{cls.code}` |" in page
        assert cls.remedy in page
