"""Data snapshots and erasures of a test's pipeline."""

from sealift_pipeline.data_policy.key_file import read_key
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.erasure.erasing import erase
from sealift_pipeline.erasure.journal import Erasure
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.snapshots.taking import take

POLICY = """\
format = 1
[issue]
id = { path = "object_attributes.id", type = "int" }
title = { path = "object_attributes.title", type = "text" }
weight = { path = "object_attributes.time_estimate", type = "float" }
labels = { path = "labels[].title", type = "list" }
updated_at = { path = "object_attributes.updated_at", type = "time" }
author = { path = "object_attributes.author_id", type = "person" }
"""


def snapshot(settings, upto=None):
    return take(settings, settings.data_policy(), "issue", upto)


def erased(settings, *numbers):
    key = read_key(settings.key_file)
    with open_log(settings) as log:
        subjects = tuple(pseudonym(one, key) for one in numbers)
        return erase(settings, settings.data_policy(), log, Erasure("T-1", subjects))
