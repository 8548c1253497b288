"""A pipeline in a folder of a test's own, with a receiver in this process."""

import threading
from contextlib import contextmanager

from sealift_pipeline.data_policy.key_file import read_key, read_keys, read_secret
from sealift_pipeline.data_policy.record import apply
from sealift_pipeline.landing.lander import Lander, writing
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.receiver.authentication import Credentials
from sealift_pipeline.receiver.intake import Intake
from sealift_pipeline.receiver.server import Receiver
from sealift_pipeline.settings.making import Origin, make
from sealift_pipeline.settings.settings import Settings
from sealift_pipeline.table.delta import EventTable

SECRET = "whsec_" + "aW52ZW50ZWQgc2lnbmluZyBzZWNyZXQgb2Ygbm9ib2R5"


def new_pipeline(folder, *, policy="", **origin):
    """Make a folder with a port of its own; `policy` replaces the data policy."""
    make(folder, Origin(**origin), listen="127.0.0.1:0")
    if policy:
        (folder / "data-policy.toml").write_text(policy)
    return Settings.load(folder)


@contextmanager
def receiver(settings, *, log=None):
    """Listen in a thread; gives the server."""
    token = read_secret(settings.token_file, "token")
    system = read_secret(settings.system_token_file, "token") if settings.system_token_file else b""
    with log or open_log(settings) as opened:
        intake = Intake(opened, settings.data_policy(), read_keys(settings.key_file), knows_system_hook=bool(system))
        credentials = Credentials(token, (SECRET.encode(),), system)
        with Receiver((settings.host, settings.port), intake, credentials) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
                intake.committer.close()


def put(settings, events, *, first=0):
    """Put events into the log as the receiver does, all in one commit; returns their keys."""
    policy, secret = settings.data_policy(), read_key(settings.key_file)
    records = [
        apply(policy, event, key=f"key-{number}", received=1_795_435_200_000_000 + number, secret=secret)
        for number, event in enumerate(events, first)
    ]
    with open_log(settings) as log:
        log.append([record for record in records if record is not None])
    return [record.key for record in records if record is not None]


def land(settings, **options):
    """Land all that the log holds."""
    with open_log(settings) as log, writing(settings.folder):
        lander = Lander(settings, settings.data_policy(), log)
        done = lander.land_all()
        if options.get("compact"):
            lander.compact()
        return done


def rows(settings, kind="issue", *columns):
    """The rows of a kind, by their number."""
    table = EventTable(settings.table_place, kind).open()
    if table is None:
        return []
    found = table.to_pyarrow_table(columns=list(columns) or None).to_pylist()
    return sorted(found, key=lambda row: row.get("seq", 0))
