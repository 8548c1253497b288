"""Open the log that the settings name."""

from sealift_pipeline.log.base import EventLog
from sealift_pipeline.log.nats_log import NatsLog
from sealift_pipeline.log.sqlite_log import SqliteLog
from sealift_pipeline.settings.settings import Settings


def open_log(settings: Settings) -> EventLog:
    """Open the log of a pipeline.

    Raises:
        EventLogError: it cannot be opened, or is not a log. One on NATS is only asked with the first call.
    """
    if settings.nats is not None:
        return NatsLog(settings.nats)
    return SqliteLog(settings.log_path)
