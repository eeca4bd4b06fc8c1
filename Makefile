# Needs Python >= 3.11 and make; uses uv where it is present, else venv and pip. Written for GNU Make 3.81 (macOS).

# Handed over in the environment, so that no shell reads it.
DEMO_PROMPT ?= Give me three tips for better sleep.
export DEMO_PROMPT
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

ifneq ($(UV),)
MAKE_VENV = $(UV) venv --quiet --allow-existing --python '>=3.11' $(VENV)
INSTALL = $(UV) pip install --python $(BIN)/python
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check
endif

# Pins carry hashes, an editable package cannot: hence two steps (docs/adr/0004). $(1) is the file of pins.
define install
@echo '==> packages of $(1) (the first time this downloads them)'
$(INSTALL) --require-hashes --requirement $(1)
$(INSTALL) --quiet --no-deps --no-build-isolation --editable .
@touch $@
endef

# One file for every platform and Python version; no index, no path of this machine in it.
LOCK_UV = $(if $(UV),$(UV),$(BIN)/uv)
compile = $(LOCK_UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command 'make lock' \
	--group build $(2) $(UPGRADE) --output-file requirements/$(1)

DEMO := $(VENV)/.installed-demo
TEST := $(VENV)/.installed-test

.PHONY: help demo test test-long coverage check format docs lock bench clean
.DEFAULT_GOAL := help

help: ## print this table
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: $(DEMO) ## run one agent task on a small model on this machine: no key, no service
	@echo '==> agentlin run'
	@env -u AGENTLIN_BASE_URL $(BIN)/agentlin run --model local/smollm2 "$$DEMO_PROMPT"

test: $(TEST) ## run the tests (PYTEST_ARGS="-k name" narrows them)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

test-long: $(TEST) ## kill the server everywhere, ten thousand steps (ten minutes); writes down the result
	TEST_LONG=1 $(BIN)/python -m pytest -q tests/e2e/test_memory.py
	$(BIN)/python -m tests.faults --thorough --steps 10000 --report tests/faults/LAST_LONG_RUN.md

coverage: $(TEST) ## run the tests and hold branch coverage
	$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)

check: $(TEST) ## format, lint, types, import rules, docs: everything that needs no run
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/generate_sync.py --check
	$(BIN)/python scripts/generate_docs.py --check
	$(BIN)/properdocs build --quiet --strict

format: $(TEST) ## format the code, mend what ruff can mend, write what is generated from code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/python scripts/generate_sync.py

docs: $(TEST) ## write the generated pages, build the docs into site/
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/properdocs build --strict

lock: | $(BIN)/python ## pin anew after a change of pyproject.toml (UPGRADE=--upgrade: to the newest)
	@$(LOCK_UV) --version >/dev/null 2>&1 || $(BIN)/python -m pip install --quiet uv
	$(call compile,test.txt,--extra local --extra mcp --extra dev)
	$(call compile,demo.txt,--extra local --constraint requirements/test.txt)

bench: $(TEST) ## measure the server against a bare relay (a few minutes)
	$(BIN)/python benchmarks/relay.py

clean: ## remove what was made here; the model's weights stay in the user's cache
	rm -rf $(VENV) site dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*

$(BIN)/python:
	@if [ -z '$(UV)$(PYTHON)' ]; then echo 'agentlin needs Python 3.11 or newer with the venv module (Debian: apt install python3-venv)' >&2; exit 1; fi
	@echo '==> virtual environment $(VENV)'
	$(MAKE_VENV)

$(DEMO): requirements/demo.txt pyproject.toml | $(BIN)/python
	$(call install,requirements/demo.txt)

$(TEST): requirements/test.txt pyproject.toml | $(BIN)/python
	$(call install,requirements/test.txt)
	@touch $(DEMO)
