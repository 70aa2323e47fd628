# Everything a person does with a checkout. `make demo` and `make test` set up all that they need.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough and not too new; set PYTHON to choose another.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
# Two processes; tests that share something costly run in the same one, as tests/conftest.py says.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

# Compiled modules halve the time that Airflow takes to start, so let Python write them.
export PYTHONDONTWRITEBYTECODE :=
export WAYSIDE_HOME := $(CURDIR)
export PYTHONPATH := $(CURDIR)/include:$(CURDIR)/plugins

.PHONY: help demo up down airflow secrets test coverage test-oracle lint format docs bench lock gpu clean
.DEFAULT_GOAL := help

help: ## Show what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

define install
	@test -n "$(PYTHON)" || { echo "Wayside needs Python 3.11, 3.12 or 3.13: set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(if $(UV),$(UV) venv -q --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))
	@echo "Installing $(1) (a few minutes the first time)"
	@$(if $(UV),$(UV) pip install -q --python $(BIN)/python,$(BIN)/python -m pip install -q --disable-pip-version-check) -r $(1)
	@$(if $(UV),$(UV) pip install -q --python $(BIN)/python,$(BIN)/python -m pip install -q --disable-pip-version-check) --no-deps -e .
endef

$(VENV)/.ready: requirements.txt pyproject.toml packaging/opencv-python/pyproject.toml
	$(call install,requirements.txt)
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	$(call install,requirements-dev.txt)
	@touch $@

demo: $(VENV)/.ready ## Count vehicles and people on a city's cameras; no account, no network needed
	@$(BIN)/wayside demo

up: $(VENV)/.ready ## Start Airflow on 127.0.0.1 with the DAGs on, and print how to sign in (ARGS="--port 8090")
	@$(BIN)/python -m wayside_airflow.standalone $(ARGS)

down: ## Stop what `make up` started
	@$(BIN)/python -m wayside_airflow.standalone stop

airflow: ## Run an Airflow command with the settings of `make up`: make airflow ARGS="dags list"
	@$(BIN)/python -m wayside_airflow.standalone airflow $(ARGS)

secrets: ## Write .env with fresh passwords and keys for docker compose
	@$(PYTHON) -m wayside_airflow.compose secrets

test: $(VENV)/.ready-dev ## Run the tests
	@$(PYTEST) tests

coverage: $(VENV)/.ready-dev ## Run the tests and measure what they reach, which takes longer; 90 % is the least
	@$(PYTEST) --cov --cov-report=term --cov-fail-under=90 tests

test-oracle: $(VENV)/.ready-dev ## Run the Oracle tests on a test user that WAYSIDE_ORACLE_DSN, _USER and _PASSWORD name
	@test -n "$$WAYSIDE_ORACLE_DSN" || { echo "Set WAYSIDE_ORACLE_DSN, WAYSIDE_ORACLE_USER and WAYSIDE_ORACLE_PASSWORD" >&2; exit 1; }
	@$(BIN)/python -m pytest --force-enable-socket tests/warehouse/oracle

lint: $(VENV)/.ready-dev ## Check style, types, layers and generated pages
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy include/wayside plugins
	@$(BIN)/lint-imports
	@$(BIN)/python -m wayside_airflow.docs --check

format: $(VENV)/.ready-dev ## Put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.ready-dev ## Write the generated pages
	@$(BIN)/python -m wayside_airflow.docs --write

bench: $(VENV)/.ready-dev ## Measure, and write the figures to .wayside/bench
	@$(BIN)/python -m bench

lock: ## Write the locks anew (needs uv)
	@for name in requirements requirements-dev requirements-gpu requirements-deploy; do \
		uv pip compile --quiet --universal --upgrade --python-version 3.11 --no-annotate $$name.in packaging/local.in -o $$name.txt; done

gpu: $(VENV)/.ready ## Add the CUDA libraries for an NVIDIA GPU
	$(call install,requirements-gpu.txt)

clean: ## Stop Airflow, and remove the virtual environment and all state
	@test ! -x $(BIN)/python || $(BIN)/python -m wayside_airflow.standalone stop || true
	rm -rf $(VENV) .wayside build .coverage* .pytest_cache \
		.mypy_cache .ruff_cache .import_linter_cache .hypothesis .benchmarks include/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
