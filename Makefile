# Machinami: each target sets up what it needs; a second call starts at once.
#
#   make demo  ARGS="--speed 10"      options of `machinami up`
#   make test  ARGS="tests/api -k q"  options of pytest
#   make demo  PYTHON=python3.12      another Python, 3.11 or later

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1
MAKEFLAGS += --no-print-directory

.PHONY: help demo test check bench soak browser clean

help:
	@echo "make demo    set up and run the city; Ctrl-C stops it"
	@echo "make test    set up and run all tests"
	@echo "make check   formatting, types, imports, docs and layout"
	@echo "make bench   measure ingestion on this machine"
	@echo "make soak    twenty minutes of load and 40 faults; every message is looked for"
	@echo "make clean   remove the virtual environment and caches; a city's data is elsewhere and stays"

demo: $(VENV)/.installed
	@$(BIN)/machinami up $(ARGS)

test: $(VENV)/.installed-dev browser
	@echo "· testing"
	@$(BIN)/pytest -q $(ARGS)

check: $(VENV)/.installed-dev
	@echo "· ruff" && $(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet
	@echo "· pyright" && $(BIN)/pyright
	@echo "· import contracts" && $(BIN)/lint-imports
	@echo "· docs and layout" && $(BIN)/pytest -q tests/house

bench: $(VENV)/.installed
	@$(BIN)/machinami bench ingest $(ARGS)

soak: $(VENV)/.installed
	@$(BIN)/machinami bench soak $(ARGS)

# What the pages' tests need from the system; without it they say so and are skipped.
browser:
	@{ command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null \
		|| .ci/apt-install chromium fonts-noto-cjk || true

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Machinami needs Python 3.11 or later: make demo PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| .ci/apt-install "python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
	@echo "· creating the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "· installing Machinami, its broker and its database"
	@$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/pip
	@echo "· installing Machinami and its test tools"
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

clean:
	@rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
