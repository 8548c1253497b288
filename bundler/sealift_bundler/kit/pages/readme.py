"""README.md of a kit: how to check it before anything in it runs. Pure."""

from collections.abc import Iterable

from sealift_bundler.kit.wheels import Wheel

_TEXT = """\
# Sealift {version} for {platform}

This folder installs Sealift on a machine without internet. It needs Linux with glibc {glibc} or newer and Python
{pythons}; nothing else, and no network.

This page came with the kit, so it proves nothing of it. What proves something is the SHA-256 of the tar, which you
compare with the one that was published elsewhere: a web page, a letter, a telephone call.

## Check it, before you run anything in it

1. Compare the digest of the tar with the published one. Either command prints it:

       sha256sum {folder}.tar
       openssl dgst -sha256 {folder}.tar

   If it differs, stop. Where `{folder}.tar.sig` came with it, this says `Verified OK`; it proves as much once the
   digest of the key, which the second line prints, was compared with the published one:

       openssl dgst -sha256 -verify {folder}.tar.pub -signature {folder}.tar.sig {folder}.tar
       openssl pkey -pubin -in {folder}.tar.pub -outform DER | openssl dgst -sha256

1. Unpack the tar, and check that every file arrived whole:

       tar -xf {folder}.tar
       cd {folder}
       sha256sum --check --quiet SHA256SUMS

   It prints nothing when all is well.

## Install it

    python3 -I install.py --bin /usr/local/bin --man /usr/local/share/man

`python3 -I install.py --help` lists the options. `docs/how-to/deploy/start-on-a-bare-system.html` is the whole way to a
first prediction, and how to upgrade by a later kit.
{without}
With `--completion /usr/local/share/bash-completion/completions`, bash completes both commands. For other shells copy
`completion/zsh/*` to a folder of `$fpath`, and `completion/fish/*` to `/etc/fish/completions/`.
{root}
## What is in it

| package | version | file |
|---|---|---|
{packages}

pip is there to install the others, and is not installed itself.
"""
_WITHOUT_SERVER = """
Without `sealift serve`, the model server: this kit was made without `--extra serve`.
"""
# What `--extra serve` brings.
_SERVER = "uvicorn"
_ROOT = """
## Pin the channel's root

`1.root.json` is the root of channel `{channel}`. Run `sealift trust init 1.root.json`, and compare the fingerprint that
it prints with the one that was published elsewhere. A fingerprint that you only read here would prove nothing.
"""


def readme(
    *,
    version: str,
    platform: str,
    pythons: Iterable[str],
    glibc: str,
    folder: str,
    channel: str | None,
    wheels: list[Wheel],
) -> str:
    """Return the page; `channel` is None for a kit without a root."""
    rows = sorted({(str(wheel.name), str(wheel.version), wheel.path.name) for wheel in wheels})
    return _TEXT.format(
        version=version,
        platform=platform,
        pythons=" or ".join(pythons),
        glibc=glibc,
        folder=folder,
        without="" if any(wheel.name == _SERVER for wheel in wheels) else _WITHOUT_SERVER,
        root="" if channel is None else _ROOT.format(channel=channel),
        packages="\n".join(f"| {name} | {number} | `{file}` |" for name, number, file in rows),
    )
