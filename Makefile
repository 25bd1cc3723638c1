# Everything a newcomer needs: `make run`, `make test`, `make check`. Needs Python 3.11 or newer, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= auto

.PHONY: help run test check soak bench clean

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "omnirouter needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what omnirouter needs into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $(READY)

run: $(READY) ## install everything and start the daemon with the demo desk on SQLite
	@$(BIN)/omnirouter run --demo

test: $(READY) ## the whole suite, on real PostgreSQL, IMAP and SMTP servers
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m 'not soak'

soak: $(READY) ## long runs with many kills
	@$(BIN)/python -m pytest -q -m soak

check: $(READY) ## lint, types, layers, dependencies, dead code
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python -m deptry .
	@$(BIN)/python -m vulture

bench: $(READY) ## speed on this machine, by stage
	@$(BIN)/omnirouter bench

clean: ## remove the virtual environment and caches
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
