# Every target sets up .venv by itself when it is missing or stale; see `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# Containers often set this variable. With it, each process that a target starts would compile its imports again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv)
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))

ifdef UV
  CREATE = uv venv --quiet --clear --python "$$(command -v $(PYTHON))" .venv
  PIP = uv pip install --quiet --compile-bytecode --python $(BIN)/python
else
  CREATE = $(PYTHON) -m venv --clear .venv
  PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

# Stamps say what .venv holds. .venv/.home names the checkout that it was made in: scripts carry that path.
USABLE := $(shell $(BIN)/python -c '$(SUPPORTED)' 2>/dev/null && { test ! -e .venv/.home || test "$$(cat .venv/.home)" = "$(CURDIR)"; } && echo yes)
DBT_FILES := $(shell find dbt_project \( -name target -o -name logs \) -prune -o -type f -print)

.PHONY: help install demo dev test test-unit test-fast test-nightly check style nocodb-server bench bench-quick evaluation evaluation-topics gpu-check lint format lock env-example data-model browser clean FORCE

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.prepared ## Compute the sample through the whole graph
	@$(BIN)/analytics demo

dev: .venv/.prepared ## Open the Dagster UI
	@$(BIN)/analytics dev

test: .venv/.dev .venv/.prepared browser nocodb-server ## Run every test: unit, then integration, then end to end
	@$(BIN)/pytest -n auto --dist worksteal analytics_platform_tests/unit
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder analytics_platform_tests/e2e analytics_platform_tests/integration

test-unit: .venv/.dev .venv/.prepared ## Run the unit tests except those that start processes, fit models or take seconds
	@$(BIN)/pytest -q -n auto --dist worksteal -m 'not slow' analytics_platform_tests/unit

test-fast: ## Run some tests with the .venv as it is: TESTS=analytics_platform_tests/unit/insights
	@$(BIN)/pytest -q -x -p no:xdist -p no:cov $(or $(TESTS),$(error name the tests: make test-fast TESTS=analytics_platform_tests/unit/insights))

# More and new examples of each property, and the large samples: hours on two cores.
test-nightly: export NIGHTLY := 1
test-nightly: test ## Run every test with more examples of each property

check: style test-unit ## Check style, types, import rules, SQL and the unit tests

bench: .venv/.dev .venv/.prepared ## Measure the targets of speed and memory, for more than an hour, and write their table in docs/
	@$(BIN)/python benchmarks/targets.py --out docs/performance.md

bench-quick: .venv/.dev .venv/.prepared ## Compare a run of the graph with its bare functions, on few messages
	@$(BIN)/python benchmarks/graph.py --messages 10000 --days 60 --few-days 6 --runs 1

evaluation: .venv/.dev ## Measure gold conversations, tiers and privacy, and write the tables in docs/: DATA=folder of data sets, PII=labelled.parquet PLAIN=texts.parquet
# Without DATA and PII, only the conversations of training/gold and training/development, which takes four minutes; with PII alone, only that.
ifeq (,$(PII)$(DATA))
	@$(BIN)/python benchmarks/gold.py --out docs/evaluation.md
	@$(BIN)/python benchmarks/gold.py --development fit --out docs/evaluation.md
	@$(BIN)/python benchmarks/gold.py --development check --out docs/evaluation.md
	@$(BIN)/python benchmarks/taught_outcomes.py --out docs/evaluation.md
endif
ifneq (,$(DATA))
	@$(BIN)/python benchmarks/gold.py --out docs/evaluation.md
	@$(BIN)/python benchmarks/gold.py --development fit --out docs/evaluation.md
	@$(BIN)/python benchmarks/gold.py --development check --out docs/evaluation.md
	@$(BIN)/python benchmarks/taught_outcomes.py --out docs/evaluation.md
	@$(BIN)/python benchmarks/tiers.py $(DATA) --out docs/evaluation.md
endif
ifneq (,$(PII))
	@$(BIN)/python benchmarks/pii.py $(PII) $(if $(PLAIN),--plain $(PLAIN)) --presidio --out docs/privacy.md
endif

evaluation-topics: .venv/.dev ## Measure discovered topics beside k-means and BERTopic, and write the tables in docs/: DATA=folder of data sets
	@$(BIN)/python benchmarks/topics.py $(or $(DATA),$(error set DATA to a folder with banking77, clinc150 and sgd_dialogues)) --out docs/evaluation.md

gpu-check: .venv/.base ## Compare labels and speed of CPU and GPU; needs a GPU
	@$(BIN)/python benchmarks/gpu_check.py

style: .venv/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/sqlfluff lint --disable-progress-bar dbt_project/models

lint: style ## Check style, types, import rules, SQL, and that the lock files are in step
	@$(BIN)/pytest -q analytics_platform_tests/unit/test_lock_files.py analytics_platform_tests/unit/test_env_example.py

format: .venv/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

install: .venv/.prepared ## Set up .venv with the packages for running, and extras: EXTRAS=llm,languages
# The checkout stays what is imported (-e). Versions are those locked, as far as they are; hashes do not go with -e.
ifneq (,$(EXTRAS))
	@sed -nE 's/^([A-Za-z0-9][^][ ;=]*)(\[[^]]*\])?(==.*) \\$$/\1\3/p' requirements-dev.lock > .venv/.pins
	@$(PIP) --no-build-isolation -c .venv/.pins -e '.[$(EXTRAS)]'
endif

env-example: .venv/.base ## Write .env.example from the settings
	@text="$$($(BIN)/python -m analytics_platform.settings.env_example && echo .)"; printf '%s' "$${text%.}" > .env.example

data-model: .venv/.base ## Write the listing of docs/data-model.md from the declarations of the tables
	@text="$$($(BIN)/python -m analytics_platform.model.docs docs/data-model.md && echo .)"; printf '%s' "$${text%.}" > docs/data-model.md

# With hashes and without the registry's address; what users run is a part of what the tests run.
# `make lock UPGRADE=--upgrade` takes the newest versions.
LOCK = uv pip compile pyproject.toml --quiet --generate-hashes --no-emit-index-url --no-strip-extras --fork-strategy fewest --group build \
  --custom-compile-command 'make lock' $(UPGRADE)

lock: ## Write the lock files from pyproject.toml (needs uv and a network)
	@command -v uv >/dev/null || { echo "make lock needs uv; install it, or edit the lock files on a machine that has it" >&2; exit 1; }
	$(LOCK) --universal --python-version 3.11 --extra local --extra llm --extra dask --extra postgres --extra transformer --extra dev -o requirements-dev.lock
	$(LOCK) --universal --python-version 3.11 --extra local --extra transformer -c requirements-dev.lock -o requirements.lock
	$(LOCK) --python-version 3.12 --python-platform x86_64-manylinux_2_28 --extra local --extra gpu -o requirements-gpu.lock

clean: ## Remove .venv, caches and dbt's output; the data under .analytics/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dbt_project/target dbt_project/logs
	find analytics_platform analytics_platform_tests -name __pycache__ -prune -exec rm -rf {} +

# The browser of the end-to-end tests: installed where that is allowed, otherwise its tests say that they were skipped.
browser:
	@if ! command -v chromium >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing chromium for the browser tests"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
	      || echo "chromium could not be installed: the browser tests are skipped"; \
	  else echo "no chromium on PATH: the browser tests are skipped"; fi; \
	fi

# The server of the NocoDB tests, once per version for all checkouts; the first time takes minutes.
nocodb-server: .venv/.dev
	@$(BIN)/python -m analytics_platform_tests.integration.nocodb.install

.venv/.home: $(if $(USABLE),,FORCE)
	@if [ -z "$(USABLE)" ]; then \
	  $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { \
	    echo "$(PYTHON) ($$($(PYTHON) --version 2>/dev/null || echo not found)): Python 3.11, 3.12 or 3.13 is needed; try make PYTHON=python3.12" >&2; exit 1; }; \
	  echo "Setting up .venv: a few minutes the first time"; $(CREATE); \
	fi
	@echo "$(CURDIR)" > $@

.venv/.base: .venv/.home requirements.lock pyproject.toml
	@$(if $(UV),,$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.base requirements-dev.lock
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.prepared: .venv/.base $(DBT_FILES)
	@$(BIN)/analytics prepare
	@touch $@
