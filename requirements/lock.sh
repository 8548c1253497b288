#!/bin/sh
# Write the lock files: every name, version and hash that Sealift is installed from, and no address.
#
# Pins already in a file are kept; `lock.sh --upgrade` takes the newest versions that pyproject.toml allows.
# What the files cover (Linux, Python below 3.14) is `tool.uv.environments` in pyproject.toml.
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=$1
    shift
    # Wheels only: a source distribution would run its own code while it is being installed.
    # One version for every Python ("fewest"), so that all of them are tested on the same code.
    # The machine's own certificates, because pip trusts those too.
    uv pip compile pyproject.toml --quiet --system-certs --universal --python-version 3.11 --fork-strategy fewest \
        --generate-hashes --only-binary :all: --no-emit-index-url --no-annotate \
        --custom-compile-command "make lock" --output-file "$output" "$@"
}

# Every extra but those for keys in a cloud, which no test can reach.
lock requirements/dev.lock --extra bundler --extra xgboost --extra lightgbm --extra catboost --extra skops --extra hsm --extra dev "$@"
# The base install gets the versions that the tests ran with, never newer ones.
lock requirements/base.lock --constraints requirements/dev.lock "$@"
