# Every target sets up what it needs; nothing has to be typed before.
PYTHON ?= python3
BIN := .venv/bin
SHELL_FILES = $(wildcard glidein_scripts/*.sh glidein_scripts/*.bash glidein_scripts/*.source tools/*.sh) .ci/run

.DEFAULT_GOAL := help
.PHONY: help install demo test test-unit test-contract test-pool test-faults test-security test-slow soak test-shell check bench bench-day lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## Set up .venv with the product and its tools
	@tools/bootstrap.sh $(PYTHON)

demo: install ## Run the main job on a real pool and show the result
	@$(BIN)/python examples/zmumu/demo.py

test: install test-shell ## Run every test but the slow ones
	@$(BIN)/python -m pytest tests -m "not slow"

test-slow: install ## Run the tests that measure for minutes, and properties with many examples
	@$(BIN)/python -m pytest tests -m slow
	@EXAMPLES=20 $(BIN)/python -m pytest tests/unit -m hypothesis --timeout 1800

test-unit: install ## Run the tests that need no pool
	@$(BIN)/python -m pytest tests/unit

test-contract: install ## Run one suite against the fake and the real pool
	@$(BIN)/python -m pytest tests/contract

test-pool: install ## Run the tests that need a real HTCondor pool
	@$(BIN)/python -m pytest tests -m "pool or demo"

test-faults: install ## Run the tests that break things: simulation and real pool
	@$(BIN)/python -m pytest tests/faults

test-security: install ## Run the attacks that must be held out
	@$(BIN)/python -m pytest tests/security

soak: install ## Simulate 100,000 seeds of faults (SEEDS=first:end for others)
	@$(BIN)/python tests/faults/soak.py --seeds $(or $(SEEDS),0:100000)

test-shell: install ## Run the tests of the glidein scripts
	@tools/bats.sh tests/shell

check: install ## Check style, types, imports and scripts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/shellcheck -x $(SHELL_FILES)

bench: install ## Measure speed and quality, in short
	@$(BIN)/python -m benchmarks

bench-day: install ## Decide a day of 2,000,000 jobs at 500 sites, pass by pass
	@$(BIN)/python -m benchmarks day --json benchmarks/day.json --plot benchmarks/day.png

lock: install ## Resolve requirements/*.in into what is installed, with hashes
	@$(BIN)/python -m pip install -q uv
	@cd requirements && ../$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 lock.in -o lock.txt
	@cd requirements && ../$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --python-version 3.11 swift.in -o swift.txt

clean: ## Remove what make made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build .bootstrap.lock
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
