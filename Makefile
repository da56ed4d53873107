# Everything that a clone can do. Each target does what it needs first, so any of them may be the
# first thing you run on a bare machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAM := $(BIN)/exam
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help install engine up demo test check bench lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## Install `exam` and its tools into .venv, every package by hash

$(VENV)/installed: dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'make: Python 3.11 or newer is needed: run `make PYTHON=python3.12 install`, say.' >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo 'make: no venv module: run `apt-get install -y python3-venv`.' >&2; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
	@echo "installed: . $(VENV)/bin/activate puts exam on your PATH; next: make engine"

engine: ## Give this machine a container engine if none answers
	@sh exam_cli/engine/provide.sh

up: install engine ## From nothing to a running exam in ./workspace
	@$(EXAM) up

demo: install engine ## From nothing to a score: train section 1's reference, grade it, clean up
	@sh exam_cli/sitting/demo.sh $(CURDIR)/$(BIN)

test: install engine ## Run all tests, those that need the engine included
	@sh tests/tools.sh
	@EXAM_REQUIRE_ENGINE=1 $(BIN)/pytest $(TESTS)

check: install ## Types, lint, format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: install engine ## Measure into bench/results; IMAGES=1, GROWTH=1 and TRUST=1 take far longer
	@$(BIN)/python -m compileall -q $(VENV)/lib exam_cli || true
	@$(BIN)/python -m bench.run $(if $(IMAGES),--images) $(if $(GROWTH),--growth) $(if $(TRUST),--trust) \
		$(if $(ROUNDS),--rounds $(ROUNDS))

lock: install ## Resolve the development tools again, into dev.lock
	@$(BIN)/uv pip compile --quiet --no-config pyproject.toml --group dev --universal --upgrade \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--output-file dev.lock

clean: ## Remove what the targets above made in this directory, but not ./workspace
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
