# `make run` and `make test` need Python 3.11 to 3.13 and the package index, nothing else.

VENV ?= .venv
BIN := $(VENV)/bin
# The first of these that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' >/dev/null 2>&1; then \
	echo $$p; break; fi; done)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Installed with the code in place (-e): a change of the code needs no new install, a change of these does.
INPUTS := pyproject.toml constraints.txt

.PHONY: help setup run test test-slow bench bench-pipeline lint format pictures clean

help:
	@echo "make run    the whole pipeline on an embedded cloud, with a sample of its own"
	@echo "make test   lint, types and all quick tests"
	@echo "make setup  only install; make bench, make bench-pipeline, make lint, make format, make test-slow, make clean"

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11, 3.12 or 3.13 is needed, and none was found: install one, or name it with PYTHON=/path/to/python" >&2; exit 2; fi
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu install python3-venv" >&2; exit 2; }

$(VENV)/.local: $(INPUTS) | $(BIN)/python
	@echo "installing into $(VENV) (a minute or two, once) ..."
	@$(INSTALL) -e '.[local]'
	@touch $@

$(VENV)/.dev: $(INPUTS) | $(BIN)/python
	@echo "installing into $(VENV), with what tests need (a minute or three, once) ..."
	@$(INSTALL) -e '.[local,dev]'
	@touch $@ $(VENV)/.local

setup: $(VENV)/.local

run: $(VENV)/.local
	@$(BIN)/ndjctl run $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Two at once: each starts an embedded cloud and Spark of its own, so that more would need more memory than cores.
test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow $(ARGS)

$(VENV)/.bench: $(INPUTS) | $(BIN)/python
	@echo "installing into $(VENV), with the readers to compare with (a minute or three, once) ..."
	@$(INSTALL) -e '.[local,dev,bench]'
	@touch $@ $(VENV)/.local $(VENV)/.dev

bench: $(VENV)/.bench
	$(BIN)/python -m bench $(ARGS)

bench-pipeline: $(VENV)/.bench
	$(BIN)/python -m bench.pipeline $(ARGS)

pictures: $(VENV)/.local
	$(BIN)/python docs/pictures.py

clean:
	@if [ -x $(BIN)/ndjctl ]; then $(BIN)/ndjctl local stop >/dev/null 2>&1 || true; fi
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
