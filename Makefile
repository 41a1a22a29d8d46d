# Everything a contributor types. `make check` is the static half of CI; .ci/run is the whole.
PYTHON ?= python3

.PHONY: help setup check test test-all docs bench

help:          ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup:         ## install for development, with the commit hooks
	$(PYTHON) -m pip install -e '.[dev]'
	pre-commit install

check:         ## style, types, house rules, fresh reference
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	pytest tests/architecture
	$(PYTHON) docs/make_reference.py --check

test:          ## the fast tests
	pytest -m "not slow"

test-all:      ## every test, as CI runs them
	pytest

docs:          ## write docs/reference from the code
	$(PYTHON) docs/make_reference.py

bench:         ## measure this machine; appends to benchmarks/results
	$(PYTHON) benchmarks/import_time.py
	$(PYTHON) benchmarks/draw.py
	$(PYTHON) benchmarks/engine.py
	$(PYTHON) benchmarks/install.py
