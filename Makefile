# Everything a fresh machine needs is made here: `make demo` and `make test` set themselves up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Another interpreter: make demo PYTHON=/path/to/python3.12
PYTHON ?=
ROUNDS ?= 2000
INPUTS ?= 1000000
STRENGTH ?= 1
# Of `make test`: tests wait more than they compute. WORKERS=0 runs them one after the other.
WORKERS ?= 2
EVENTS ?= 1000000
# Of `make explore`: for random histories of a bookkeeper's deeds.
MINUTES ?= 60
# The commit that `make differential` compares with: before the core was one.
OLD ?= 0030317
ARGS ?=

.PHONY: help demo test lint docs release-check screenshots pages bench bench-quick bench-all path differential memory idle chaos outage switches brokers alerts fuzz explore audit lock lock-image lock-fuzz clean

help: ## Say what there is
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## Run everything on this machine with sample events, and show what lands in QuickBooks
	@$(BIN)/kompass-qbo demo $(ARGS)

test: $(READY) docs ## Run every test that this machine can run; says what it could not
	@$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

lint: $(READY) ## Style, types and docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(MAKE) docs

# Material's notice about a coming release of mkdocs is no warning about our pages.
docs: $(READY) ## Build the site of the docs into build/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

release-check: $(READY) ## Check version, change log, migrations and made pages before a release (docs/release.md)
	@$(BIN)/python deploy/release_check.py

screenshots: $(READY) ## Take a picture of every page of the admin, on a desktop and a phone, light and dark, into build/screenshots
	@$(BIN)/python -m tests.acceptance.admin.screenshots --all

pages: $(READY) ## Measure every page of the admin with 50,000 links
	@ADMIN_LINKS=50000 $(BIN)/python -m pytest tests/integration/admin/test_size.py -s --timeout=0 $(ARGS)

bench: $(READY) ## Measure, and write docs/benchmarks.md
	@for benchmark in $$(ls tests/benchmarks/*.py | grep -v -e /memory.py -e /idle_orgs.py -e /path.py); do echo "== $$benchmark"; $(BIN)/python "$$benchmark" $(ARGS); done

bench-quick: $(READY) ## Measure what a change of ingest or push costs, in CPU; writes nothing
	@for run in "ingest.py 2000" "push.py 50"; do echo "== $$run"; BENCH_QUICK=1 $(BIN)/python tests/benchmarks/$$run; done

bench-all: bench memory idle ## Measure everything and write docs/benchmarks.md, on a quiet machine: an hour

path: $(READY) ## Count the files and functions that one new invoice passes
	@$(BIN)/python -m tests.benchmarks.path $(ARGS)

differential: $(READY) ## Compare what OLD and this commit send to QuickBooks for the same events; half an hour
	@$(BIN)/python -m tests.differential --old $(OLD) $(ARGS)

memory: $(READY) ## Measure the memory of a process over EVENTS=1000000 events
	@$(BIN)/python tests/benchmarks/memory.py $(EVENTS)

idle: $(READY) ## Measure every kind of process beside 100,000 idle Orgs
	@$(BIN)/python tests/benchmarks/idle_orgs.py $(ARGS)

chaos: $(READY) ## Kill, stop and restart at random moments, ROUNDS=2000 times, and any interleaving
	@$(BIN)/python -m pytest tests/chaos -s --rounds $(ROUNDS) --timeout=0 $(ARGS)

outage: $(READY) ## Half an hour without Intuit (on a moved clock), over 10,000 events
	@$(BIN)/python -m pytest tests/acceptance/recovery/test_intuit_away.py -s --events 10000 --timeout=0 $(ARGS)

switches: $(READY) ## Run the tests under other settings of what nobody outside Intuit knows
	@$(BIN)/python -m tests.switches --strength $(STRENGTH) $(ARGS)

brokers: $(READY) ## On Apache Kafka: kill brokers, consumers and a Postgres, write 200,000 hostile records, switch the group protocol
	@FUZZED_RECORDS=200000 POISONED_RECORDS=50000 ERRORS_TRIED=all REQUIRE_KAFKA=yes $(BIN)/python -m pytest \
	  tests/integration/broker/test_hostile_records.py tests/integration/broker/test_dead_clients.py \
	  tests/integration/broker/test_every_error.py -s --timeout=0 $(ARGS)
	@BROKER_ROUNDS=20 REQUIRE_KAFKA=yes $(BIN)/python -m pytest tests/integration/broker/test_three_brokers.py --timeout=0 $(ARGS)
	@TEST_BROKER=apache REQUIRE_KAFKA=yes $(BIN)/python -m pytest tests/integration/postgres/test_failover.py \
	  tests/chaos/test_random_kills.py --rounds 520 --timeout=0 $(ARGS)

alerts: $(READY) ## Break every part before a real Prometheus and write down how fast each alert fires; two hours
	@$(BIN)/python -m tests.alerts --normal 3600 --write $(ARGS)

# Led by coverage where there is a wheel of atheris (Linux, CPython up to 3.13), else by a seeded generator.
fuzz: $(READY) ## Feed decoder, fault parser and templates INPUTS=1000000 inputs each
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
	  -r requirements/fuzz.lock 2>/dev/null || echo "there is no wheel of atheris for this Python: inputs come from the seeded generator"
	@for target in decoder faults templates; do $(BIN)/python -m tests.fuzz "$$target" --inputs $(INPUTS) $(ARGS); done

explore: $(READY) ## Play random histories of a bookkeeper for MINUTES=60, then the property tests for much longer
	@$(BIN)/python -m pytest tests/chaos/test_bookkeeper_histories.py --minutes $(MINUTES) -n 0 -s --timeout=0
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=fuzz --timeout=0 $(ARGS)

audit: $(READY) ## Ask PyPI for known vulnerabilities of what is pinned
	@$(BIN)/python .ci/audit.py

lock: ## Pin the newest versions that pyproject.toml allows, with hashes and without any download address
	@test -x $(BIN)/uv || { echo "make lock needs the environment it locks: run make test first" >&2; exit 1; }
	@$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra embedded --extra dev pyproject.toml -o requirements/dev.lock
	@$(MAKE) lock-image

lock-image: ## Pin for the image what dev.lock has tested: what runs, the stand-ins, and what builds it
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate -c requirements/dev.lock pyproject.toml -o requirements/runtime.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --no-annotate -c requirements/dev.lock --extra embedded pyproject.toml -o requirements/embedded.lock
	@echo 'setuptools>=77' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -c requirements/dev.lock - -o requirements/build.lock

lock-fuzz: ## Pin the fuzzer, on which nothing depends: there are few wheels of it
	@printf '%s\n' "atheris<3.1; python_version<'3.12'" "atheris>=3.1; python_version>='3.12'" | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate - -o requirements/fuzz.lock

clean: ## Remove what was made here, the environment too
	@rm -rf $(VENV) .kompass-qbo .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Once for each state of the lock file.
$(READY): requirements/dev.lock pyproject.toml
	@python=""; \
	for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "kompass-qbo needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not; name one: make demo PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if [ ! -x $(BIN)/python ]; then \
	  "$$python" -m venv $(VENV) || { echo "python's venv module is missing; on Debian: apt install python3-venv" >&2; exit 1; }; \
	fi
	@echo "Installing what requirements/dev.lock pins into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
