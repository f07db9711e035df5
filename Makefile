# The commands are part of the contract; see ARCHITECTURE.md.
PYTHON ?= python3
TORCH  ?= torch==2.13.0   # without a GPU, smaller: TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help campaign up down status test lint bench install clean

help:               ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

campaign: install   ## the whole loop on this machine: stack, demo campaign, result
	@python -m quickstart campaign demo

up: install         ## start the one-machine stack
	@python -m quickstart up

down:               ## stop it
	@test ! -d .stack || python -m quickstart down

status:             ## what runs, where, and its logs
	@python -m quickstart status

test: install       ## every test; CI lints, too
	@for part in tests/clusters tests/integration/calculix; do $$part/install.sh || \
	  { test -z "$$CI" && echo "the tests that need it are skipped"; } || exit 1; done
	python -m pytest --numprocesses 2 --no-loadscope-reorder

lint: install       ## style, import arrows, types
	ruff check .
	ruff format --check .
	PYTHONPATH=dags:. lint-imports
	PYTHONPATH=dags:. python -m tests.lint.import_circles
	mypy

bench: install      ## one script per claim of the README
	@for script in benchmarks/[a-z]*.py; do python -m benchmarks.$$(basename $$script .py) || exit 1; done

install: $(VENV)/.kernel   ## a virtual environment with everything in it

# A kernel of older sources is refused, and the reference solver serves, 40 times slower.
$(VENV)/.kernel: $(wildcard hpc_jobs/fem/native/*.h hpc_jobs/fem/native/*.[ch]pp) $(VENV)/.installed
	@python -m hpc_jobs.fem.native.build || echo "notice: simulations will take the slow reference solver"
	@touch $@

# Bytecode is compiled afterwards, on all cores; some packages ship templates that are no Python.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "installing into $(VENV), once; this takes some minutes: torch (1 of 3)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) $(TORCH)
	@echo "  Airflow, MLflow and the rest (2 of 3)"
	@$(PIP) -e ".[airflow,jobs,inference,dev]"
	@echo "  bytecode (3 of 3)"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

clean: down         ## remove the stack's state, keep the installation
	rm -rf .stack
