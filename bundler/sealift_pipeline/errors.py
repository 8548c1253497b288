"""Every error that the pipeline raises, in addition to those of the loader, the keys and the bundler: 70 to 79.

Those of a broken chain refine `DigestError` and keep its exit code, 26, so that a script that alerts on 20 to 29 alerts
on each; their own words tell the links apart.
"""

from sealift_common.errors import DigestError, Error


class DataPolicyError(Error):
    """The data policy or the settings have an unknown key, a wrong type, or a path that cannot be."""

    exit_code = 70
    code = "data-policy"
    remedy = (
        "Correct the line of data-policy.toml or pipeline.toml that the message names, then start the command again."
    )


class EventLogError(Error):
    """The durable log takes no event or gives none: it is locked, full, damaged, or its server does not answer."""

    exit_code = 71
    code = "event-log"
    remedy = (
        "Free the disk or start the server that the message names. Nothing was acknowledged that is not in the log."
    )


class TableError(Error):
    """A table of events is missing, is not one that Sealift wrote, or has a column of another type."""

    exit_code = 72
    code = "table"
    remedy = "Check the folder of the table, or give the column in the data policy a new name, then land again."


class LanderBusyError(Error):
    """Another process is landing events, erasing a person or compacting a table."""

    exit_code = 73
    code = "lander-busy"
    remedy = "Wait until the other process has finished, or stop it. Two landers would write rows twice."


class GitlabError(Error):
    """GitLab, or a registry of models, refuses, does not answer, or answers with something else than it should."""

    exit_code = 74
    code = "gitlab"
    remedy = (
        "Check the address, the project, the hook and the token that the message names, then run the command again."
    )


class UnknownKindError(Error):
    """No table holds events of this kind, and the data policy does not name it."""

    exit_code = 75
    code = "unknown-kind"
    remedy = "Name a kind that `sealift-pipeline status` lists, or add it to data-policy.toml and land events of it."


class ErasureError(Error):
    """An erasure is not complete: something of the person is still in the log or in a table."""

    exit_code = 76
    code = "erasure"
    remedy = "Stop what holds the files that the message names, then run the same erasure again; it goes on from there."


class ProjectError(Error):
    """A project cannot be trained: its TOML, its Python file, its search, its labels, or its lock file."""

    exit_code = 77
    code = "project"
    remedy = "Correct what the message names in the project's two files, or install what its lock file pins."


class ChallengerError(Error):
    """A new version is not better than the released one, or there is nothing to compare it with; nothing was staged."""

    exit_code = 78
    code = "challenger"
    remedy = "Look at the page of the run. Give it more or better rows; a version that is not better is never staged."


class RetrainError(Error):
    """Rows were erased while a version was trained on them, or what a run cites is not there any longer."""

    exit_code = 79
    code = "retrain"
    remedy = "Run `sealift-pipeline retrain` again: it takes a new data snapshot, without the rows that were erased."


# --- 26: the chain of a version is broken at one of its links -----------------------------------------------------


class ChainProofError(DigestError):
    """The chain of a version is broken at the proof: nothing records that its answers are those of the original."""

    exit_code = DigestError.exit_code
    code = "chain-proof"
    remedy = "Do not use the file. Nobody showed that this model answers as the trained one: convert it again."


class ChainRunError(DigestError):
    """The chain of a version is broken at the run: run.json is missing, is another one, or is about another version."""

    exit_code = DigestError.exit_code
    code = "chain-run"
    remedy = "Do not use the file. Ask who released the version where its run.json comes from; stage it again."


class ChainModelError(DigestError):
    """The chain of a version is broken at the model: a converted file is not the one that the run made."""

    exit_code = DigestError.exit_code
    code = "chain-model"
    remedy = "Do not use the file. Somebody released another model than the run made: ask the channel's approvers."


class ChainSnapshotError(DigestError):
    """The chain of a version is broken at the data snapshot: it is not the one that the run used."""

    exit_code = DigestError.exit_code
    code = "chain-snapshot"
    remedy = "Do not use the file. Nobody can tell which rows the model learned from: retrain it."


class ChainGateError(DigestError):
    """The chain of a version is broken at the gate: its run was refused, and it was released nevertheless."""

    exit_code = DigestError.exit_code
    code = "chain-gate"
    remedy = "Do not use the file. Withdraw the version, and release one that the gate passed."
