# Every target sets up what it needs, once: a stamp in .venv says what is done already.

PYTHON ?= python3
ARGS ?=
MINUTES ?= 10
SEED ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
UV := .cache/uv

RUNTIME := $(VENV)/.runtime-installed
PROGRAM := $(VENV)/.program-installed
DEV := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-quick lint format chaos chaos-full bench bench-quick bench-backlog endurance \
  pages profile lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'ARGS="..." is handed on, PYTHON=... chooses the interpreter (3.11 or newer).'

demo: $(PROGRAM) ## watch a model learn from a stream; no Kafka needed. ARGS="--json"
	@$(BIN)/streamfit demo $(ARGS)

test: $(DEV) $(PROGRAM) ## run the tests with coverage; takes Docker, or Maven and Java. ARGS="-k name"
	@echo "tests: everything but what make chaos runs, with coverage"
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not slow" $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-quick: $(DEV) $(PROGRAM) ## run the tests that need no broker and little time
	@$(BIN)/python -m pytest -q -m "not integration and not slow" $(ARGS)

lint: $(DEV) $(PROGRAM) ## check style, types and which package imports which
	@echo "lint: ruff"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo "lint: mypy"
	@$(BIN)/mypy
	@echo "lint: import-linter"
	@$(BIN)/lint-imports

format: $(DEV) ## format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

chaos: $(DEV) $(PROGRAM) ## kill, freeze and restart replicas for MINUTES=10, and check. SEED=1
	@$(BIN)/python -m tests.chaos.run --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)
	@echo "chaos: the tests that take more than 10 s"
	@$(BIN)/python -m pytest -q -m slow

chaos-full: $(DEV) $(PROGRAM) ## 100 kill -9 for each delivery and scope, and check
	@$(BIN)/python -m tests.chaos.run --kills 100 $(if $(SEED),--seed $(SEED)) $(ARGS)

bench: $(DEV) $(PROGRAM) ## measure speed, beside what others do; 40 minutes, writes docs/benchmarks
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

bench-quick: $(DEV) $(PROGRAM) ## the same in 5 minutes, once each, written to .cache/bench/quick
	@$(BIN)/python -m tests.benchmarks.run --events 200000 --rounds 1 --seconds 3 \
	  --oracle-rows 10000 --backlogs 100000 --out .cache/bench/quick $(ARGS)

bench-backlog: $(DEV) $(PROGRAM) ## work off 10,000,000 events beside 100,000: cost and memory
	@$(BIN)/python -m tests.benchmarks.run --parts backlog \
	  --backlogs 100000 1000000 10000000 $(ARGS)

endurance: $(DEV) $(PROGRAM) ## run at full speed for MINUTES=30: memory, stages; needs prometheus
	@$(BIN)/python -m tests.benchmarks.endurance --minutes $(if $(filter file,$(origin MINUTES)),30,$(MINUTES)) $(ARGS)

pages: $(DEV) $(PROGRAM) ## write what is made from code: dashboards, rules, reference, tables
	@for page in tests.deploy.dashboards tests.deploy.metrics_page tests.deploy.prometheus_rule \
	  tests.docs.reference tests.fault_table; do $(BIN)/python -m $$page; done

profile: $(DEV) $(PROGRAM) ## write a flame graph of a run at full speed to .cache/profile.svg
	@$(BIN)/python -m tests.benchmarks.profile $(ARGS)

lock: $(UV)/bin/uv ## choose new exact versions; ARGS="--upgrade" takes the newest of all
	@echo "lock: requirements.lock"
	@$(LOCK) --extra plot --group build --output-file requirements.lock
	@echo "lock: requirements-dev.lock"
	@$(LOCK) --all-extras --group dev --constraints requirements.lock \
	  --output-file requirements-dev.lock
	@if grep -n '://' requirements.lock requirements-dev.lock; then \
	  echo "lock: an address got into a lock file" >&2; exit 1; \
	fi

LOCK = $(UV)/bin/uv pip compile pyproject.toml --quiet --universal --generate-hashes \
  --no-emit-index-url --no-emit-find-links --python-version 3.11 \
  --custom-compile-command "make lock" $(ARGS)

clean: ## remove the virtual environment and what the tools left; .cache stays
	@rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache \
	  .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "streamfit needs Python 3.11 or newer, $(PYTHON) is none: make PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "setup: making $(VENV), installing pinned packages (a minute or two, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

# An editable install takes a copy of the launcher: a change there asks for a new install.
$(PROGRAM): $(RUNTIME) pyproject.toml consumers/launcher.py
	@echo "setup: installing streamfit itself"
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.lock
	@echo "setup: installing pinned packages for development"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(UV)/bin/uv:
	@echo "setup: installing uv in $(UV)"
	@$(PYTHON) -m venv $(UV)
	@$(UV)/bin/python -m pip --disable-pip-version-check --quiet install uv
