# toolgate's verbs. `make` alone lists them. Nothing is written outside this folder.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: help demo test check crash bench format clean

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## start the gateway with two upstreams and watch an agent be governed (ARGS=--once: check and exit)
	@$(BIN)/toolgate demo $(ARGS)

# Two at a time; then, by themselves, those that measure how long something takes. 5: none of these was asked for.
test: $(VENV)/.dev ## every test this machine can run; says what it left out (ARGS=path or -k name)
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone" $(ARGS) || [ $$? -eq 5 ]
	@$(BIN)/python -m pytest -m alone $(ARGS) || [ $$? -eq 5 ]

check: $(VENV)/.dev ## format, lint, types, import contracts, unit tests: under a minute
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit tests/architecture

crash: $(VENV)/.dev ## kill and cut power for longer: 1,000 runs at random moments (ARGS=-k name)
	@TOOLGATE_CRASH_RUNS=1000 $(BIN)/python -m pytest tests/crash -s $(ARGS)

bench: $(VENV)/.dev ## the figures of the README, measured side by side in one run
	@$(BIN)/python tests/bench/run.py $(ARGS)

format: $(VENV)/.dev ## rewrite the source in the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean: ## remove the environment and caches (not your data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The lock file decides what is installed; a stamp file says which lock that was.
$(VENV)/.run: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("toolgate needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Next: make PYTHON=python3.11 $(MAKECMDGOALS)") if sys.version_info < (3, 11) else None'
	@echo "setting up $(VENV) (once, about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "adding the test tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
