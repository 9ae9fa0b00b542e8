# make demo    install into .venv, then analyze -> compile -> restore the example notebook in a fresh interpreter
# make test    linters, types, layers, all tests
# make lint    linters, types and layers only
# make corpus  the notebooks of other people: fetch, analyze, compile, restore, compare (needs the network)
# make bench   nbdag and its peers on the same sessions: docs/peers.md; MINUTES=60 keeps to that (needs the network)
# make support which classes of which libraries travel, measured again: docs/support.md (needs the network)
# make docs    the documentation as a site, in build/site; every link checked
# make dist    wheel and source distribution, checked, and the example run from them in an environment of its own
# make clean   remove what the above made, .venv too
#
# Only python3 (3.10 or later) with venv and pip is assumed. PYTHON=/path/to/python3 chooses another one.
# All paths are relative: the checkout may be in a directory with spaces.

SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.SUFFIXES:
.PHONY: help demo test lint corpus bench support docs dist clean

help:
	@sed -n 's/^# //p' Makefile | head -9

# A stamp for the environment and one per set of extras: installed again when pyproject.toml changes, and only then.
.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "nbdag needs Python 3.10 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo not there)." >&2; \
	  echo "  hint: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv"; $(PYTHON) -m venv .venv; } || { \
	  echo "$(PYTHON) cannot make a virtual environment." >&2; \
	  echo "  hint: on Debian and Ubuntu: apt install python3-venv" >&2; rm -rf .venv; exit 1; }
	@touch $@

.venv/demo: .venv/python pyproject.toml
	@echo "installing nbdag and what the demo needs into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

.venv/test: .venv/python pyproject.toml
	@echo "installing nbdag and what the tests need into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[demo,test,corpus]'
	@touch $@ .venv/demo

demo: .venv/demo
	@$(BIN)/python examples/demo.py

lint: .venv/test
	@$(BIN)/ruff check --quiet --extend-exclude '*.ipynb' .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

corpus: .venv/test
	@$(BIN)/python -m benchmarks.corpus

bench: .venv/test
	@$(BIN)/python -m benchmarks.bench $(if $(MINUTES),--minutes $(MINUTES))

support: .venv/test
	@$(BIN)/python -m benchmarks.support

.venv/docs: .venv/python pyproject.toml
	@echo "installing nbdag and what the documentation needs into .venv"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: .venv/docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict && echo "build/site/index.html"

# From the files that would be published, in environments that know nothing of this checkout.
dist: .venv/python
	@rm -rf dist build/dist && mkdir -p build/dist
	@$(BIN)/python -m venv build/dist/tools
	@build/dist/tools/bin/python -m pip install --quiet --disable-pip-version-check build twine
	@build/dist/tools/bin/python -m build --outdir dist . >build/dist/log || { cat build/dist/log; exit 1; }
	@build/dist/tools/bin/python -m twine check --strict dist/*
	@$(BIN)/python -m venv build/dist/empty
	@build/dist/empty/bin/python -m pip install --quiet --disable-pip-version-check "$$(ls dist/*.whl)[demo]"
	@cp -R examples build/dist/examples
	@cd build/dist/examples && PATH="$$PWD/../empty/bin:$$PATH" && export PATH && \
	  nbdag analyze demo.ipynb && nbdag compile --out bundle && nbdag stop && \
	  python bundle/restore.py --verify
	@ls -l dist

clean:
	@rm -rf .venv .corpus demo_bundle build dist .nbdag examples/.nbdag
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
