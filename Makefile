# Everything a newcomer needs: Python 3.11+, git and make. `make help` lists it.
VENV ?= .venv
BENCH_VENV ?= .venv-bench
MINING_VENV ?= .venv-mining
PY := $(VENV)/bin/python
PIN := $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet
LOCK := $(PIN) pyproject.toml

# Python keeps its bytecode also where the environment says not to: collecting the tests takes half as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-fast lint format bench mutation lock clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## Make .venv from the hash-locked requirements (again when they change)
	@.ci/venv $(VENV) requirements-dev.lock

run: setup ## Start Holdfast here: Temporal, mail catcher, worker, fictional people; Ctrl-C stops it
	@exec $(PY) -m cli.main up

demo: setup ## Play three crisis episodes through the real workflow with skipped time
	@$(PY) -m cli.main demo

test: setup ## All tests: servers, databases, processes and kill -9 included
	@.ci/venv $(MINING_VENV) requirements-mining.lock
	@$(PY) -m pytest

test-fast: setup ## The tests that need no server and no database
	@$(PY) -m pytest -q -m "not full" -n auto --dist worksteal -p no:schemathesis

lint: setup ## Style, formatting and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m pyright --pythonpath $(PY)

format: setup ## Put the code into house style
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

bench: ## Measure against other engines and against a bare Temporal workflow
	@.ci/venv $(BENCH_VENV) requirements-bench.lock
	@$(BENCH_VENV)/bin/python -m benchmarks

mutation: setup ## Put small wrongs into the core and see that its tests find them
	@$(PY) -m tests.mutation

lock: setup ## Pin the newest allowed versions, with hashes, in requirements*.lock
	@$(LOCK) --upgrade --output-file requirements.lock
	@$(LOCK) --upgrade --extra dev --output-file requirements-dev.lock
	@$(LOCK) --upgrade --extra bench --output-file requirements-bench.lock
	@$(PIN) --upgrade --group pyproject.toml:mining --output-file requirements-mining.lock

clean: ## Remove what was built; `var/` with its episodes stays
	@rm -rf $(VENV) $(BENCH_VENV) $(MINING_VENV) .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
