"""A pipeline in a folder of a test's own, with a receiver in this process."""

import threading
from contextlib import contextmanager

from sealift_pipeline.data_policy.key_file import read_key, read_secret
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.receiver.authentication import Credentials
from sealift_pipeline.receiver.intake import Intake
from sealift_pipeline.receiver.server import Receiver
from sealift_pipeline.settings.making import Origin, make
from sealift_pipeline.settings.settings import Settings

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
    with log or open_log(settings) as opened:
        intake = Intake(opened, settings.data_policy(), read_key(settings.key_file))
        with Receiver((settings.host, settings.port), intake, Credentials(token, (SECRET.encode(),))) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
                intake.committer.close()
