"""Bytes for a server."""

import socket

GOOD = {"name": "rows", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}


def raw(client, *parts, shut=False):
    """Send bytes over a connection of its own, and give what comes back until the server closes it."""
    with socket.socket(socket.AF_UNIX) as own:
        own.settimeout(30)
        own.connect(str(client.path))
        for part in parts:
            own.sendall(part)
        if shut:
            own.shutdown(socket.SHUT_WR)
        found = b""
        try:
            while data := own.recv(65536):
                found += data
        except ConnectionResetError:
            pass
        return found


def head(*headers, method="POST", route="/v2/models/toy/infer"):
    return "\r\n".join([f"{method} {route} HTTP/1.1", "Host: x", *headers, "", ""]).encode()
