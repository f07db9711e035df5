# The commands are part of the contract; see ARCHITECTURE.md.
PYTHON ?= python3
TORCH  ?= torch==2.13.0   # without a GPU, smaller: TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help campaign up down status test slow lint bench install clean \
  docs docker-up docker-campaign docker-down docker-test docker-backup docker-restore

help:               ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 20

campaign: install   ## the whole loop on this machine: stack, demo campaign, result
	@python -m quickstart campaign demo

up: install         ## start the one-machine stack
	@python -m quickstart up

down:               ## stop it
	@test ! -d .stack || python -m quickstart down

status:             ## what runs, where, and its logs
	@python -m quickstart status

test: install       ## every test but the slow ones, half an hour; CI lints, too
	@for part in clusters calculix browser; do tests/install.sh $$part || \
	  { test -z "$$CI" && echo "the tests that need it are skipped"; } || exit 1; done
	python -m pytest -m "not docker and not slow" --numprocesses 2 --no-loadscope-reorder

slow: install       ## tests that take minutes each, real Slurm and all
	@tests/install.sh clusters
	python -m pytest -m "slow and not docker"

lint: install       ## style, import arrows, types, links of the documentation
	ruff check .
	ruff format --check .
	PYTHONPATH=dags:. lint-imports
	PYTHONPATH=dags:. python -m tests.lint.import_circles
	mypy
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

docs: install       ## the documentation's site, in build/site; a dead link fails
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

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
	@$(PIP) -e ".[airflow,jobs,inference,dev,docs]"
	@echo "  bytecode (3 of 3)"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $@

# ---- containers: needs a Docker Engine with Compose v2 and BuildKit, and Python 3 -----------------

COMPOSE := cd docker && REVISION=$$(git rev-parse --short HEAD 2>/dev/null) docker compose \
  -f compose.yaml -f compose.demo.yaml

docker-up:          ## build images, start control host and two Slurm clusters
	@python3 docker/secrets.py
	@$(COMPOSE) build
	@$(COMPOSE) up --detach --wait
	@$(COMPOSE) port airflow-api 8080 | sed 's|.*|Airflow  http://&  user admin, password in docker/secrets/airflow_passwords|'
	@$(COMPOSE) port mlflow 5000 | sed 's|.*|MLflow   http://&  user reader, password in docker/secrets/mlflow_reader_password|'

docker-campaign: docker-up  ## the demo campaign in containers: trigger, follow, print the result
	@$(COMPOSE) run --rm campaign demo

docker-down:        ## stop the containers, keep their volumes
	@$(COMPOSE) --profile campaign down --remove-orphans

docker-backup:      ## databases, models, secrets into TO=folder
	@docker/backup.sh "$(TO)"

docker-restore:     ## FROM=folder into empty volumes
	@docker/restore.sh "$(FROM)"

docker-test: install ## the tests in containers; some minutes
	python -m pytest -m docker tests/docker

clean: down         ## remove the stack's state, keep the installation
	rm -rf .stack
