# Muniment on one machine. Needs Python 3.11 or newer and git; everything else comes from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=
# Test processes, each with servers of its own. More than cores, because tests mostly wait: for databases, buckets and kills.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo up test check format schema lock bench clean

help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Record a real delivery, ask about it, take an archive away, verify it, and stop again
	@exec $(BIN)/python -m embedded demo --stop-with-parent

up: $(INSTALLED) ## Serve until Ctrl-C; data in MUNIMENT_DATA_DIR (.muniment), port MUNIMENT_HTTP_PORT (8000)
	@exec $(BIN)/python -m embedded up --stop-with-parent

test: $(INSTALLED) ## Run every test on real servers; ARGS="-k archive" narrows it
	@$(BIN)/pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

check: $(INSTALLED) ## Format, lint, types, import contracts, layout, freshness of the schema
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/test_layout.py tests/api/test_schema_file.py

format: $(INSTALLED) ## Write the code as `make check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schema: $(INSTALLED) ## Write schema.graphql anew
	@UPDATE=1 $(BIN)/pytest -q tests/api/test_schema_file.py

lock: $(INSTALLED) ## Write requirements.lock and requirements.server.lock anew from the .in beside them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--output-file requirements.lock requirements.in
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--constraint requirements.lock --output-file requirements.server.lock requirements.server.in

bench: $(INSTALLED) ## Measure what the README claims about speed
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove the virtual environment and caches; data in .muniment stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamp comes last: an interrupted installation is taken up again.
$(INSTALLED): requirements.lock cli/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Muniment needs Python 3.11 or newer. Name one: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing what requirements.lock names into $(VENV) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable ./cli
	@touch $@
