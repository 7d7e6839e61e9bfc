# Everything runs from the virtual environment in .venv, which each target makes when it is missing.
PYTHON ?= python3
VENV := .venv
# Tests wait more than they compute; each worker has a lab of its own (1.4 GB). 0 runs them one after the other.
WORKERS ?= 3
# In the order given: files of lab tests take minutes and come first, those of unit tests fill up what is left.
PYTEST := $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help venv demo down test unit lab-test check-charts lint format docs bench tools status

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.done: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed (set PYTHON=...)"; exit 1; }
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV) || \
	  { echo "error: no venv module: install your distribution's python3-venv"; exit 1; }
	@echo "installing Python packages into $(VENV)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	@touch $@

venv: $(VENV)/.done ## Install the Python packages into .venv

demo: $(VENV)/.done ## Make a whole environment on this machine: lab, then `pulumi up`
	@$(RUN) -m lab demo

down: $(VENV)/.done ## Destroy the demo's stack and stop every process of the lab
	@$(RUN) -m lab down

status: $(VENV)/.done ## Say which processes of the lab run
	@$(RUN) -m lab status

tools: $(VENV)/.done ## Build the lab's tools (once per machine)
	@$(RUN) -m lab tools

test: $(VENV)/.done tools ## All tests: unit, stack files, and the real engine in a lab of its own
	@$(PYTEST) tests/lab tests/unit tests/stacks

unit: $(VENV)/.done ## Tests that need neither engine nor lab
	@$(PYTEST) tests/unit tests/stacks

lab-test: $(VENV)/.done tools ## Tests with the real engine in a lab
	@$(PYTEST) tests/lab

check-charts: $(VENV)/.done ## Do the real charts know and render every stack's values? (MIRROR=url: those there)
	@$(RUN) -m lab.toolchain helm etcd kube-apiserver
	@$(RUN) -m tests.charts $(if $(MIRROR),--mirror $(MIRROR))

lint: $(VENV)/.done ## Format, lint, types, import direction, generated files
	@$(RUN) -m reference --check
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/pyright
	@$(VENV)/bin/lint-imports

format: $(VENV)/.done ## Format and mend what can be mended
	@$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

docs: $(VENV)/.done ## Write schemas and reference pages anew, and build the documentation into site/
	@$(RUN) -m reference
	@$(VENV)/bin/zensical build --clean --strict

bench: $(VENV)/.done tools ## Measure; prints one JSON object last
	@$(RUN) -m lab.bench
