# Two commands on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
# What is compiled once is kept: tests start a hundred processes.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help demo test check format bench stories fuzz lock schema clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/installed-run ## Show everything at work; ARGS="--once --json", ARGS="--photos DIR"
	$(BIN)/sesame demo $(ARGS)

test: $(VENV)/installed-dev ## Run every test; ARGS="tests/unit" for some
	$(BIN)/pytest --numprocesses auto --dist loadgroup $(ARGS)

check: $(VENV)/installed-dev ## Check style, types, import rules, dependencies, schema and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/pyright
	$(BIN)/sesame schema --check
	$(BIN)/sesame schema --gate-wire --check
	$(BIN)/sesame migrate --check

format: $(VENV)/installed-dev ## Put the code into the house's form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/installed-run ## Measure; ARGS="exit --json", ARGS=--list
	$(BIN)/sesame bench $(ARGS)

stories: $(VENV)/installed-dev ## Tell stories about money; ARGS="--stories 100 --steps 90"
	$(BIN)/python -m tests.money.tell $(ARGS)

fuzz: ## Send bad input for ten minutes, from .venv-fuzz; ARGS="--minutes 1"
	@$(MAKE) --no-print-directory VENV=.venv-fuzz .venv-fuzz/installed-fuzz
	.venv-fuzz/bin/python -m tests.fuzz $(ARGS)

schema: $(VENV)/installed-dev ## Write schema.graphql and the gate wire's JSON Schemas
	$(BIN)/sesame schema
	$(BIN)/sesame schema --gate-wire

lock: ## Renew the pinned dependencies (needs uv)
	uv pip compile -q --universal --python-version 3.11.0 --generate-hashes \
		--no-header --extra embedded pyproject.toml requirements/build.in -o requirements/run.txt
	uv pip compile -q --universal --python-version 3.11.0 --generate-hashes \
		--no-header --extra embedded --extra dev --constraint requirements/run.txt \
		pyproject.toml requirements/build.in -o requirements/dev.txt
	uv pip compile -q --universal --python-version 3.11.0 --generate-hashes \
		--no-header --extra embedded --extra train --constraint requirements/run.txt \
		pyproject.toml requirements/build.in -o requirements/train.txt
	uv pip compile -q --universal --python-version 3.11.0 --generate-hashes \
		--no-header --extra embedded --extra fuzz --constraint requirements/dev.txt \
		pyproject.toml requirements/build.in -o requirements/fuzz.txt

clean: ## Remove what make and the tools made
	rm -rf $(VENV) .venv-fuzz .pytest_cache .ruff_cache .hypothesis .coverage htmlcov

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sesame needs Python 3.11 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# uv is faster where it is there; plain pip does the same.
define install
	if command -v uv >/dev/null; then \
		uv pip install -q --python $(BIN)/python --require-hashes -r requirements/$(1).txt && \
		uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		echo "Installing into $(VENV); the first time this takes a minute ..." && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/$(1).txt && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
endef

$(VENV)/installed-run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(call install,run)
	@touch $@

$(VENV)/installed-fuzz: requirements/fuzz.txt pyproject.toml | $(VENV)/bin/python
	$(call install,fuzz)
	@touch $@

# Clients that tests let speak to us come from npm, where it is there; else those tests are skipped.
$(VENV)/installed-dev: requirements/dev.txt pyproject.toml tests/peers/package-lock.json | $(VENV)/bin/python
	$(call install,dev)
	@if command -v npm >/dev/null; then \
		npm ci --prefix tests/peers --ignore-scripts --no-audit --no-fund --loglevel=error || \
			echo "npm could not install tests/peers: tests with clients from there are skipped"; \
	fi
	@touch $@ $(VENV)/installed-run
