"""A certificate authority of a test's own, and a certificate of it for one address."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PrivateCa:
    """Files in PEM: what clients trust, and what the server has."""

    ca_file: Path
    certificate: Path
    key: Path


def private_ca(directory: Path, address: str) -> PrivateCa:
    """Make the authority, and a certificate for a server at `address`, an IP address."""
    directory.mkdir(parents=True, exist_ok=True)

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=our own CA", "-days", "2")
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=registry")
    (directory / "names").write_text(f"subjectAltName=IP:{address}\n")
    sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "1")
    openssl("x509", "-req", "-in", "server.csr", *sign, "-out", "server.pem")
    return PrivateCa(directory / "ca.pem", directory / "server.pem", directory / "server.key")
