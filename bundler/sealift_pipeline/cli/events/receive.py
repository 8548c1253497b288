"""`sealift-pipeline receive`: take the events of a hook."""

from pathlib import Path

import click

from sealift_common.console import print_json_line
from sealift_common.errors import KeyFileError, LocalError
from sealift_common.interrupts import Interrupted
from sealift_pipeline.cli.events.keys import note_keys
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.data_policy.key_file import read_keys, read_secret
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.receiver.authentication import Credentials
from sealift_pipeline.receiver.intake import Intake
from sealift_pipeline.receiver.server import Receiver
from sealift_pipeline.settings.settings import Settings


@click.command()
@pipeline_option
@json_option
def command(*, folder: Path, as_json: bool) -> None:
    """Listen for events, and answer 200 once one is on the disk; ends with Ctrl-C or SIGTERM.

    GitLab's time-out is ten seconds, and it does not send an event again: run this as a service.
    """
    settings = Settings.load(folder)
    policy, keys = settings.data_policy(), read_keys(settings.key_file)
    credentials = _credentials(settings)
    with open_log(settings) as log:
        note_keys(settings, keys)
        intake = Intake(log, policy, keys, knows_system_hook=bool(credentials.system_token))
        try:
            with _listening(settings, intake, credentials) as server:
                host, port = server.server_address[:2]
                address = f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"
                if as_json:
                    print_json_line({"listening": address, "kinds": sorted(policy.kinds)})
                else:
                    click.echo(f"listening on {address} for: {', '.join(policy.kinds)}")
                _serve(server)
        finally:
            intake.committer.close()


def _serve(server: Receiver) -> None:
    try:
        server.serve_forever()
    except Interrupted as stop:
        stop.is_the_end = True
        raise


def _credentials(settings: Settings) -> Credentials:
    token = b"" if settings.token_file is None else read_secret(settings.token_file, "token of the hook")
    signing = tuple(read_secret(path, "signing secret of the hook") for path in settings.signing_secret_files)
    file = settings.system_token_file
    system = b"" if file is None else read_secret(file, "token of the system hook")
    if system and system == token:
        raise KeyFileError(f"{str(file)!r} holds the token of the other hooks; give the system hook one of its own")
    return Credentials(token, signing, system)


def _listening(settings: Settings, intake: Intake, credentials: Credentials) -> Receiver:
    try:
        return Receiver((settings.host, settings.port), intake, credentials)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise LocalError(f"cannot listen on {place}: {error.strerror}; give `listen` another port") from error
