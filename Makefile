# The commands of this repository. Nothing is needed but Python 3.11+ and make: every target that runs something
# installs first, into .venv, and skips that when pyproject.toml and constraints.txt have not changed since.

PYTHON ?= python3
# Address of the package index that torch comes from. Without it deploy/torch_index.py chooses: on Linux without an NVIDIA
# driver the index of CPU builds, if it answers, else pip's own, usually the CUDA build (several GB; nothing needs a GPU).
TORCH_INDEX ?=
# Folder of a LEO dump of your own; empty = the demo world.
SOURCE ?=
# Tenant whose session builds the documentation of the models.
TENANT ?= acme-demo
# Processes of the test run: three for two cores, since each waits for databases and for processes of its own.
WORKERS ?= 3
# Handed on to pytest or to the benchmark, for example ARGS="-k tombstone -x".
ARGS ?=
# Which of benchmarks/ `make bench` runs.
BENCH ?= landing

# Images often forbid it, and then each of the many processes compiles the project anew: 1 s of 7.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install pipeline dev up down dbt-docs test lint format bench clean

help: ## Show this list
	@echo "Usage: make TARGET [SOURCE=folder] [ARGS=...] [TORCH_INDEX=address]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(STAMP) ## Install into .venv (TORCH_INDEX=address of the index that torch comes from)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	@# torch first and alone: its index need not be trusted with, or asked for, any other package
	@index="$(TORCH_INDEX)"; [ -n "$$index" ] || index="$$($(BIN)/python deploy/torch_index.py)" || exit 1; \
		[ -z "$$index" ] || $(BIN)/python -m pip install --disable-pip-version-check --no-deps --index-url "$$index" \
			"$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

pipeline: $(STAMP) ## Build everything on the embedded warehouse and print what was built (SOURCE=LEO dump folder)
	$(BIN)/cdp pipeline $(if $(SOURCE),--source "$(SOURCE)")

dev: $(STAMP) ## Dagster UI and daemon on the same data
	$(BIN)/cdp dev

up: $(STAMP) ## Start the embedded warehouse
	$(BIN)/cdp up

down: $(STAMP) ## Stop the embedded warehouse
	$(BIN)/cdp down

dbt-docs: $(STAMP) ## Models, columns and lineage as one HTML page (TENANT=whose row counts it shows)
	$(BIN)/cdp dbt --tenant $(TENANT) docs generate --static --quiet
	@echo "$$($(BIN)/cdp env | sed -n 's/^export CDP_DATA_DIR=//p')/dbt/static_index.html"

test: $(STAMP) ## Run the whole test suite (ARGS=pytest options, WORKERS=processes)
# By name, not by number of tests: the few and long ones of test_cli would begin last, and one process would wait for them.
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(STAMP) ## Check style, types, SQL and YAML
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --disable-progress-bar cdp_assets
	cd dbt_project && ../$(BIN)/sqlfluff lint --disable-progress-bar models tests
	$(BIN)/yamllint --strict .

format: $(STAMP) ## Format Python and SQL, and mend what can be mended without a person
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --disable-progress-bar cdp_assets
	cd dbt_project && ../$(BIN)/sqlfluff fix --disable-progress-bar models tests

bench: $(STAMP) ## Run a benchmark (BENCH=landing|shop_extract|dbt|embedding|embedding_sync|vector_write|vector_search|datasets|datasets.events|demo_days, ARGS=options)
	@# what a benchmark compares with; pip asks no index when all of it is there
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"], sep="\n")' > .venv/.bench
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -r .venv/.bench || \
		{ echo "make bench needs the packages of the extra bench (pyproject.toml), and pip could not install them"; exit 1; }
	$(BIN)/python -m benchmarks.$(BENCH) $(ARGS)

clean: ## Stop the embedded warehouse; remove its data, the demo world and all caches (keeps .venv)
	@# a failing `cdp down` stops here on purpose: never delete the data of a server that still runs
	@if [ -x $(BIN)/cdp ] && [ -d .data ]; then $(BIN)/cdp down; fi
	rm -rf .data .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf
