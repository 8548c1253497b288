"""`sealift-bundler convert`: a trained model becomes a proven model directory, or nothing."""

import os
import warnings
from pathlib import Path

import click

from sealift_bundler.cli.conversions import (
    echo_golden,
    echo_probe,
    golden_document,
    holdout_option,
    report_option,
    reported,
    write_report,
)
from sealift_bundler.cli.findings import MAX_LINES, echo_findings
from sealift_bundler.cli.options import benchmark_option, complete_golden, trust_global_option
from sealift_bundler.cli.progress import conversion_progress
from sealift_bundler.disclosure import withheld
from sealift_bundler.errors import DisclosureWarning
from sealift_common import console
from sealift_common.errors import UsageError
from sealift_common.files.output import PAGE, require_place, write


@click.command("convert")
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--samples", required=True, type=click.Path(path_type=Path, readable=False), help="Rows as the model takes them."
)
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, readable=False), help="A new or empty directory."
)
@click.option("--name", help="The model's name; default: the name of the output directory.")
@click.option("--version", default="0.0.0", show_default=True, help="The model's version, SemVer.")
@click.option("--atol", default=1e-5, show_default=True, type=click.FloatRange(min=0), help="Absolute tolerance.")
@click.option("--rtol", default=1e-5, show_default=True, type=click.FloatRange(min=0), help="Relative tolerance.")
@click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="MODULE",
    help="Import this first: it registers converters of your own estimators with skl2onnx.",
)
@click.option(
    "--golden",
    metavar="CHOICE",
    shell_complete=complete_golden,
    help="Rows to record: generated, samples, or a file; default: generated for texts, samples elsewhere.",
)
@holdout_option
@report_option
@trust_global_option
@benchmark_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    model: Path,
    samples: Path,
    output: Path,
    name: str | None,
    version: str,
    atol: float,
    rtol: float,
    imports: tuple[str, ...],
    golden: str | None,
    holdout: Path | None,
    trust_globals: tuple[str, ...],
    report: Path | None,
    benchmark: bool,
    as_json: bool,
) -> None:
    """Convert MODEL to ONNX and prove that its answers did not change.

    MODEL is a scikit-learn model (.joblib, .pkl, .skops), a booster's own file (XGBoost .json or .ubj, LightGBM
    .txt, CatBoost .cbm), an MLflow model directory, a ready-made .onnx, or a .pt2 of PyTorch. A pickle may use
    classes and functions of these libraries, and of your own those that --trust-global names. Nothing is written
    unless every sample row and every edge row agrees.
    """
    if os.path.lexists(output) and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"output {str(output)!r} is not an empty directory; give another, or empty it first")
    if report is not None:
        require_place(report, device=True, kind=PAGE)
    from sealift.model.documents.description import Tolerance
    from sealift_bundler.proof.ladder import convert

    name = name or output.absolute().name
    with warnings.catch_warnings(), reported(report), conversion_progress(quiet=as_json):
        # Said below, in the words of a command.
        warnings.simplefilter("ignore", DisclosureWarning)
        conversion = convert(
            model,
            samples,
            name=name,
            version=version,
            tolerance=Tolerance(atol, rtol),
            imports=imports,
            trust_globals=trust_globals,
            golden=golden,
            holdout=holdout,
            probe=report is not None,
        )
    echo_findings(conversion.findings, "warning: add will refuse this: ")
    if benchmark:
        from sealift_bundler.proof.recording import with_benchmark

        conversion = with_benchmark(conversion)
    output.mkdir(parents=True, exist_ok=True)
    for file, data in conversion.files.items():
        write(output / file, data)
    write_report(conversion, report)
    echo_golden(conversion)
    parity = conversion.parity
    if as_json:
        files = {file: len(data) for file, data in conversion.files.items()}
        result = {"name": name, "version": version, "rung": conversion.rung, "parity": withheld(parity), "files": files}
        more = {
            "directory": str(output),
            "findings": [finding.document() for finding in conversion.findings[:MAX_LINES]],
            "golden": golden_document(conversion),
            "probe": withheld(conversion.probe),
        }
        console.print_json({**result, **more})
        return
    if parity.get("compared", True):
        click.echo(f"{name} {version}: {parity['rows']} rows agree on rung {conversion.rung!r}")
        absolute, relative = parity["largest_absolute_error"], parity["largest_relative_error"]
        click.echo(f"  largest errors {absolute:.3g} absolute, {relative:.3g} relative; exact ties {parity['ties']}")
    else:
        click.echo(f"{name} {version}: unchanged, nothing to compare with; give recorded answers with the samples")
    echo_probe(conversion)
    click.echo(f"  written to {output}" + (f"; report in {report}" if report is not None else ""))
