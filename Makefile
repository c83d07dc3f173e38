# Every command sets up what it needs in .venv. Another interpreter: make test PYTHON=python3.12 (in .venv-python3.12).
.DEFAULT_GOAL := help

VENV ?= .venv$(if $(filter command environment,$(firstword $(origin PYTHON))),-$(notdir $(PYTHON)))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := $(VENV)/bin
# The tests of one file stay together: they share databases. PARALLEL= runs them one after the other.
PARALLEL ?= -n 2 --dist loadfile
# Warnings of pip about its own configuration are not ours to show; errors are.
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq

.PHONY: help demo test lint types docs bench fuzz clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/.demo ## a small shop with an N+1 and a slow query, and what dbprofile says about them
	@$(BIN)/dbprofile demo

test: $(VENV)/.test ## the test suite; what it needs and does not find it leaves out, and says so
	@$(BIN)/python -m pytest -q $(PARALLEL) $(ARGS)

lint: $(VENV)/.dev types ## style, format and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy strict over the library, its tests, and each example in its folder
	@$(BIN)/mypy
	@set -e; for example in $(wildcard examples/*/); do echo $$example; cd $(CURDIR)/$$example; \
		settings=$$(ls mypy.ini 2>/dev/null || echo $(CURDIR)/pyproject.toml); \
		$(abspath $(BIN))/mypy --config-file $$settings --cache-dir $(CURDIR)/.mypy_cache/$$example .; done

docs: $(VENV)/.dev ## the documentation site, strictly, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.test ## what the hooks cost, as ratios to none
	@$(BIN)/python -m benchmarks

fuzz: $(VENV)/.test ## ten minutes of coverage-guided fuzzing of the SQL scanner
	@$(PIP) 'atheris>=3'
	@mkdir -p .cache
	@$(BIN)/python -m tests.sql.fuzz -max_total_time=600 -max_len=400 -len_control=0 -artifact_prefix=.cache/ $(ARGS)

clean: ## remove what the commands above made
	rm -rf .venv* .nox build dist site .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"{sys.executable} is too old: Python 3.11 or later is needed")'
	@echo "Setting up $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@$(PIP) -e '.[django]'
	@touch $@

# Dependency groups ask for a pip newer than Python 3.11 brings.
$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need ..." >&2
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --group test -e '.[all]'
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what development needs ..." >&2
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --group dev -e '.[all]'
	@touch $@ $(VENV)/.test $(VENV)/.demo
