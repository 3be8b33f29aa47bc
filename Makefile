# Everything here works from a fresh clone: each target first brings the virtual
# environment up to date, and does nothing for that when it already is.

PYTHON ?= python3
VENV ?= .venv
# Processes that run the tests; a file of tests stays in one, to share what it compiles.
JOBS ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SOURCES := experiments nas predictors search_spaces supernets tests

.PHONY: help demo test test-slow check format clean
.DELETE_ON_ERROR:

help:
	@echo "make demo       train, search and export on the digits data set (3 minutes)"
	@echo "make test       the tests (under 15 minutes)"
	@echo "make test-slow  the long checks as well, compiled as users compile"
	@echo "make check      formatting, lint and types"
	@echo "make format     put formatting and imports right"
	@echo "make clean      remove $(VENV) and caches; runs/ stays"
	@echo "Another interpreter: make test PYTHON=python3.12"

demo: $(VENV)/.installed
	@$(BIN)/nas run digits_cells

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-slow: $(VENV)/.installed-test
	@JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "slow or not slow"

check: $(VENV)/.installed-dev
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/pyright --pythonpath $(BIN)/python

format: $(VENV)/.installed-dev
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist

# One stamp for each set of requirements, remade when pyproject.toml changes. The
# installation is editable, so a change of the source needs none.
$(VENV)/.installed: pyproject.toml | $(VENV)/.made
	@echo "Installing into $(VENV) (a few minutes the first time) .."
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/.made
	@echo "Installing into $(VENV), with what the tests need .."
	@$(PIP) --editable ".[test]"
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.made
	@echo "Installing into $(VENV), with the development tools .."
	@$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/.installed $(VENV)/.installed-test

# The stamp comes last, so that an interrupted attempt is begun again.
$(VENV)/.made:
	@found=$$("$(PYTHON)" -c 'import platform; print(platform.python_version())' \
	    2>/dev/null) || found="not there"; \
	"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: Python 3.11 or newer is needed, '$(PYTHON)' is $$found." \
	    "Install one, or name it: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' has no venv module. On Debian and Ubuntu:" \
	    "apt install python3-venv" >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV) .."
	@"$(PYTHON)" -m venv --clear "$(VENV)"
	@touch $@
