"""`sealift serve`: answer applications in any language over a Unix socket."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sealift.cli.options import complete_models, json_option, store_options
from sealift_common.clock import rfc3339
from sealift_common.console import plain, print_json_line


@click.command("serve")
@click.argument("models", metavar="[NAME[:VERSION]]...", nargs=-1, shell_complete=complete_models)
@click.option(
    "--socket",
    "socket_path",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="Where to listen [default: /run/sealift/serve.sock, unless systemd passes a socket or --tcp is given].",
)
@click.option("--group", default=None, help="Whose members may connect [default: this user's group].")
@click.option("--tcp", "tcp_address", metavar="ADDRESS:PORT", default=None, help="Listen on TCP: 127.0.0.1:8000.")
@click.option("--tcp-any", is_flag=True, help="Let --tcp take an address that other machines reach: in containers.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="Threads of one prediction [default: as ONNX Runtime chooses].",
)
@click.option(
    "--deadline",
    "deadline_s",
    type=click.FloatRange(0.05, 3600),
    default=30.0,
    show_default=True,
    help="Seconds that a request may wait and run.",
)
@store_options
@json_option
def command(
    models: tuple[str, ...],
    socket_path: Path | None,
    group: str | None,
    tcp_address: str | None,
    tcp_any: bool,
    threads: int | None,
    deadline_s: float,
    store_path: Path,
    trust_path: Path,
    as_json: bool,
) -> None:
    """Serve models over a Unix socket, in the Open Inference Protocol v2; all active ones, or those named.

    What an admin installs or rolls back to answers at once, and what is withdrawn or refused by the policy does not. A
    signal ends it, once every answer is out. Needs the extra 'serve'.
    """
    from sealift.errors import UsageError
    from sealift.serving.answering.catalog import Wanted
    from sealift.serving.listening import sockets
    from sealift.serving.listening.service_manager import passed_sockets
    from sealift.serving.server import Service, serve
    from sealift.store import Store

    wanted = [Wanted.parse(text) for text in dict.fromkeys(models)]

    def tell(model: str, message: str) -> None:
        if as_json:
            print_json_line({"time": rfc3339(datetime.now(UTC)), "model": model, "message": message})
        else:
            click.echo(plain(f"{model}: {message}" if model else message))

    listening = passed_sockets()
    if tcp_any and tcp_address is None and not listening:
        raise UsageError("--tcp-any says where --tcp may listen; give --tcp ADDRESS:PORT as well")
    sockets.require_local(listening, anywhere=tcp_any)
    if socket_path is None and not listening and tcp_address is None:
        socket_path = sockets.DEFAULT_SOCKET
    if group is not None and socket_path is None:
        raise UsageError("--group is that of --socket; systemd's own socket has SocketGroup=")
    own = None
    try:
        if tcp_address is not None:
            listening.append(sockets.tcp_socket(tcp_address, anywhere=tcp_any))
        places = [sockets.address_of(one) for one in listening]
        if socket_path is not None:
            own = sockets.UnixSocket(socket_path, group)
            listening.append(own.socket)
            places.append(str(own.path))
        tell("", f"listening at {', '.join(places)}")
        store = Store(store_path, trust=trust_path)
        serve(Service(store, wanted, listening, threads=threads, deadline_s=deadline_s, tell=tell))
    finally:
        if own is not None:
            own.remove()
