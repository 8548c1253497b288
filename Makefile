# Every target does all of its own set-up: it needs make, Python 3.11-3.13 and the package index that pip uses.
#
#     make test                         make test PYTEST_ARGS='-k rollback' DEPTH=5
#     make demo PYTHON=python3.12       make lock LOCK_ARGS=--upgrade

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
# One more than there are cores: tests wait for disks and for children.
WORKERS ?= $(shell expr $$(nproc) + 1)
DEPTH ?= 1
LOCK_ARGS ?=
FUZZ_SECONDS ?= 60
LIVES ?= 500
LIFE ?=
CASES ?= 2000
WEIGHTS_MB ?= 6000
HUNT ?=
KIND ?=
FIRST ?= 0
OLD ?=
KSERVE ?=

BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tests, the demo and scripts call our tools by name, also from their own subprocesses.
RUN := PATH="$(abspath $(BIN)):$$PATH"
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# How many moments, places and lives the tests try that try them by chance.
export DEPTH

SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

.DELETE_ON_ERROR:
.PHONY: help demo pipeline-demo test check bare plugins pipeline-s3 mlflow tune component reproduce oldest packages pandas first-reader chart kserve serve-clients serve-storm serve-mlserver booted events kits lint format types bench weights fuzz recombine hunt hunt-old vocabularies docs html coverage-page pages pickles lock tools compiled clean

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

demo: $(READY) ## Carry three real models across an air gap, with a transcript
	@$(RUN) python demo/run.py

pipeline-demo: $(READY) ## From 5,000 events to a trained model without network, and an erasure, with a transcript (four minutes)
	@$(RUN) python demo/pipeline.py

# A file of tests stays in one process, so that what it makes for all of its tests is made once.
PARALLEL = --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

test: $(READY) tools compiled ## Run every test, on every core
	@$(RUN) python -m pytest $(PARALLEL) $(PYTEST_ARGS)

check: $(READY) tools compiled ## Run what finds most faults in a minute and a half: unit, packaging and attack tests but the slow ones
	@$(RUN) python -m pytest $(PARALLEL) -m 'not slow' tests/unit tests/packaging tests/attack $(PYTEST_ARGS)

plugins: ## Try the PyTorch and Keras plug-ins, in an environment of their own (2 GB)
	@test -d build/plugins || { $(PYTHON) -m venv build/plugins && \
	    build/plugins/bin/pip install -qq pytest torch==2.13.0 '.[bundler,keras]'; }
	@KERAS_BACKEND=torch build/plugins/bin/python -m pytest -q tests/plugins

pipeline-s3: $(READY) ## Land, cite, verify and erase events on S3, as moto plays it in an environment of its own (250 MB)
	@test build/moto/.ready -nt requirements/environments/moto.lock || { $(BIN)/python -m venv --clear build/moto && \
	    build/moto/bin/pip install -qq --no-deps --require-hashes --only-binary :all: -r requirements/environments/moto.lock && \
	    touch build/moto/.ready; }
	@$(RUN) MOTO_SERVER=build/moto/bin/moto_server python -m pytest -q tests/object_storage

tune: $(READY) ## Share a search through Debian's PostgreSQL: three processes assist, one is killed (two minutes)
	@.ci/debian-packages --missing tune
	@$(RUN) python -m pytest -v tests/tuning $(PYTEST_ARGS)

component: $(READY) ## Run templates/release.yml with gitlab-ci-local, in an environment of its own (15 MB; some minutes)
	@.ci/debian-packages --missing component
	@test build/component/.ready -nt requirements/environments/gitlab-ci-local/package-lock.json || { rm -rf build/component && \
	    mkdir -p build && cp -r requirements/environments/gitlab-ci-local build/component && npm ci --silent --prefix build/component && \
	    touch build/component/.ready; }
	@$(RUN) GITLAB_CI_LOCAL=build/component/node_modules/.bin/gitlab-ci-local python -m pytest -v tests/component $(PYTEST_ARGS)

reproduce: $(READY) ## Train a model, and make it again in a fresh environment of the lock file (800 MB, some minutes)
	@$(RUN) PYTHONPATH=tests python tests/reproduce/run.py

mlflow: $(READY) ## Make the calls to a model registry on MLflow's own server, in an environment of its own (850 MB)
	@test build/mlflow/.ready -nt requirements/environments/mlflow.lock || { $(BIN)/python -m venv --clear build/mlflow && \
	    build/mlflow/bin/pip install -qq --no-deps --require-hashes --only-binary :all: -r requirements/environments/mlflow.lock && \
	    touch build/mlflow/.ready; }
	@$(RUN) MLFLOW_PYTHON=build/mlflow/bin/python python -m pytest -v tests/mlflow $(PYTEST_ARGS)

oldest: $(READY) ## Answer golden examples on the lowest ONNX Runtime, in an environment of its own
	@$(RUN) python tests/oldest/run.py

first-reader: $(READY) ## Let Sealift 0.1.0, built from this repository's history, meet a bundle of every newer kind, and install one with reviews
	@$(RUN) python tests/first_reader/run.py
	@$(RUN) python tests/first_reader/reviews.py

packages: $(READY) ## Carry the models of four published packages to an instance, and compare 50 answers of each (x86-64, 1.6 GB)
	@$(RUN) python tests/packages/run.py

pandas: $(READY) ## Convert and answer tables of pandas 2.2 and 2.3, each in a folder of its own (170 MB)
	@$(RUN) python tests/older_pandas/run.py $(PYTEST_ARGS)

chart: $(READY) ## Lint and render the example chart with the real Helm, in an environment of its own (90 MB)
	@$(RUN) python tests/helm/run.py

bare: $(READY) tools ## Lead from nothing to a prediction on a bare Debian without a network (root; a minute)
	@$(RUN) python -m pytest -v tests/kits/test_bare_system.py $(PYTEST_ARGS)

kserve: $(READY) ## Compare deploy/kserve with KServe's resource definitions, which lie in the folder KSERVE
	@$(RUN) python tests/kserve/run.py $(KSERVE)

serve-clients: $(READY) ## Ask a server with tritonclient, KServe's client and Go, each Python client in an environment of its own (500 MB)
	@.ci/debian-packages --missing clients
	@$(RUN) python tests/serve_clients/run.py

booted: $(READY) ## Run the model server's units below a booted systemd, in a container of systemd-nspawn (root; two minutes)
	@.ci/debian-packages --missing booted
	@$(RUN) python -m pytest -v tests/booted $(PYTEST_ARGS)

serve-mlserver: $(READY) ## Compare what a request costs here and with MLServer, in an environment of its own (450 MB; two minutes)
	@$(RUN) python tests/serve_mlserver/run.py $(SERVE_MLSERVER_ARGS)

serve-storm: $(READY) ## Install and roll back under load, send 10,000 mutated requests, and let clients stall (three minutes)
	@$(RUN) PYTHONPATH=tests python tests/serve_storm/run.py $(SERVE_STORM_ARGS)

events: $(READY) ## Deliver 10,000 events, kill receiver and lander, search for planted secrets, cite a million rows (ten minutes)
	@$(RUN) PYTHONPATH=tests python tests/events/run.py $(EVENTS_ARGS)

kits: $(READY) ## Install kits for every Python and for an emulated aarch64, without network (root; a quarter of an hour)
	@.ci/debian-packages --missing kits
	@$(RUN) python -m pytest -v --durations=0 tests/kits $(PYTEST_ARGS)

pages: $(READY) ## Look at every page for people in Chromium: on A4, on a narrow screen, and what it fetches
	@.ci/debian-packages --missing pages
	@$(RUN) python -m pytest -v tests/pages $(PYTEST_ARGS)

lint: $(READY) ## Check style, formatting and the direction of imports
	@echo "==> ruff check"
	@$(BIN)/ruff check .
	@echo "==> ruff format --check"
	@$(BIN)/ruff format --check .
	@echo "==> import-linter"
	@$(BIN)/lint-imports

format: $(READY) ## Format the code
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: $(READY) ## Check types, strictly
	@echo "==> mypy --strict"
	@$(BIN)/mypy
	@$(BIN)/mypy docs/*.py
	@$(BIN)/mypy demo/*.py

bench: $(READY) ## Measure what we promise about speed, and write docs/explanation/performance.md (a quarter of an hour)
	@$(RUN) python tests/bench

weights: $(READY) ## Carry WEIGHTS_MB of random weights in five parts; time and memory beside a bare pass (three times the space)
	@$(RUN) WEIGHTS_MB=$(WEIGHTS_MB) python tests/bench/installing/bench_weights.py

fuzz: $(READY) ## Search every parser by coverage, FUZZ_SECONDS each (x86-64)
	@$(RUN) python tests/fuzz/fuzz.py $(FUZZ_SECONDS)

recombine: $(READY) ## Let an attacker recombine bundles in LIVES random lives of a channel (minutes); LIFE=17 runs one
	@$(RUN) PYTHONPATH=tests python -m recombination --lives $(LIVES) $(if $(LIFE),--life $(LIFE))

vocabularies: $(READY) ## Search a million words of Debian's dictionaries for false alarms (apt-get download, no root)
	@$(RUN) python tests/vocabularies/run.py

hunt: $(READY) ## Compare CASES random cases of each kind with the original (hours); KIND=far for one, HUNT=17 runs one case
	@$(RUN) PYTHONPATH=tests python -m hunt $(addprefix --kind ,$(KIND)) \
		$(if $(HUNT),--seed $(HUNT),--cases $(CASES) --first $(FIRST)) $(HUNT_ARGS)

hunt-old: $(READY) ## Show that the hunt finds each kind in the release whose checkout is the folder OLD
	@test -d "$(OLD)/bundler" || { echo "make hunt-old needs OLD, the folder of a checkout of release 0.1.0"; exit 2; }
	@# Installed, because the release finds its converters by its own metadata.
	@rm -rf build/hunt-old && $(BIN)/pip install -qq --no-deps --no-build-isolation --target build/hunt-old "$(OLD)"
	@$(RUN) PYTHONPATH="$(abspath build/hunt-old):tests" python -m hunt --until-found --jobs 1 \
		$(addprefix --kind ,$(or $(KIND),integers absent rounded jumps raising far)) --cases $(CASES) --first $(FIRST)

docs: $(READY) ## Write the generated reference pages
	@$(BIN)/python docs/generate_errors.py
	@$(BIN)/python docs/generate_commands.py
	@$(BIN)/python docs/generate_api.py

html: $(READY) ## Write the documentation as HTML with a search, into build/html
	@$(BIN)/python docs/generate_html.py build/html

coverage-page: $(READY) ## Convert every scikit-learn estimator and write what came of it (minutes)
	@$(RUN) python docs/generate_coverage.py

pickles: $(READY) ## Open every estimator and pipeline as pickle and joblib save them (two minutes)
	@$(RUN) PYTHONPATH=tests python -m sweep pickles

lock: $(READY) ## Write the lock files below requirements anew
	@$(RUN) requirements/lock.sh $(LOCK_ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist demo-out pipeline-demo-out .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find bundler common docs keys loader tests -name __pycache__ -type d -prune -exec rm -rf {} +

# This installs nothing: it says which Debian packages are missing; the tests that need them then fail and name them.
tools:
	@.ci/debian-packages --missing || true

# Tests start hundreds of our processes; where PYTHONDONTWRITEBYTECODE is set, each would compile what it imports.
compiled: $(READY)
	@$(BIN)/python -m compileall -q bundler common keys loader

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	    echo "make: $(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo missing): Sealift needs Python 3.11, 3.12 or 3.13" \
	        "with the venv module (Debian: python3-venv); name one with PYTHON=python3.12" >&2; exit 1; }
	@echo "==> making $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV) >/dev/null || { rm -rf $(VENV); \
	    echo "make: $(PYTHON) cannot make a virtual environment; install its venv module (Debian: python3-venv)" >&2; exit 1; }
	@echo "==> installing what requirements/dev.lock pins (800 MB on disk; a minute or two the first time)"
	@# --no-deps: the file is complete, and pip would look for newer versions of what a pin names with an extra.
	@$(BIN)/pip install -qq --no-deps --require-hashes --only-binary :all: -r requirements/dev.lock
	@echo "==> installing Sealift itself, editable"
	@$(BIN)/pip install -qq --no-deps --no-build-isolation -e .
	@touch $@
