# Everything runs in the virtual environment that `make` builds; nothing is installed outside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
NOT_HEAVY := not ceph and not cluster and not chaos
# Images of containers set it, and then each process of the tests would compile all of our modules again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help venv demo test check chaos format lint types bench bench-large lock clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "laketag needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode -r requirements.lock
	VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

venv: $(STAMP)  ## build the environment in .venv

demo: $(STAMP)  ## label a small generated lake and show the result
	$(BIN)/laketag demo

test: $(STAMP)  ## run the tests without Ceph, Ray clusters and kills (some minutes)
	$(BIN)/python -m pytest -m "$(NOT_HEAVY)" --numprocesses 2 --dist worksteal

check: $(STAMP)  ## check format, lint and types, and run all tests (about half an hour)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test
	$(BIN)/python -m pytest -m "not ($(NOT_HEAVY))"

chaos: $(STAMP)  ## kill and disturb ROUNDS runs from FIRST_SEED on, a line of RESULTS for each (half a minute each)
	$(BIN)/python -m tests.chaos --rounds $(or $(ROUNDS),10) --first-seed $(or $(FIRST_SEED),1) --results $(or $(RESULTS),chaos.jsonl)

format: $(STAMP)  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## measure speed and memory, and write the table into docs/performance.md (minutes; may be stopped and goes on)
	$(BIN)/python -m tests.benches

bench-large: $(STAMP)  ## the same for what takes hours
	$(BIN)/python -m tests.benches --large

lock: $(STAMP)  ## pin the versions of all dependencies again
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --quiet -o requirements.lock

clean:  ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis dist
