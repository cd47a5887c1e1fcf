# `make demo` and `make test` need Python 3.11 or newer, git and a package registry.
PYTHON ?= python3
BIN := .venv/bin
DEMO := .venv-demo/bin
export UV_PYTHON_DOWNLOADS := never
# Three processes of tests keep two processors busy: further threads of torch's would only
# wait for one another there.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: demo test test-fast test-gpu fuzz check format lock-dev benchmark clean

## demo: reverse image search over real photographs, with what `hub install` brings
demo: .venv-demo/ready
	$(DEMO)/python demo/reverse_image_search.py $(if $(MODEL),--model $(MODEL))

## test: every test
test: test-fast
	$(PYTEST) -m slow -n 3 --dist loadfile --durations=15

## test-fast: every test that takes seconds
test-fast: .venv/ready
	$(MAKE) --jobs 3 --output-sync=target test-towhee test-commands test-operators \
		test-sources test-hub test-installing

## test-gpu: what only a GPU can show, where torch finds one
test-gpu: .venv/ready
	HUB_TEST_GPU=1 $(BIN)/python -m pytest -q tests/gpu

# Parts, each in a plain process, the longest first: many a test waits for a server or a
# disk.
COMMANDS := tests/hub_client/cli tests/hub_client/publisher
OPERATORS := plugin_spec reference_operators tests/plugin_spec tests/reference_operators
SOURCES := tests/hub_client/sources
INSTALLING := tests/hub_client/installer tests/hub_client/packages
HUB := $(filter-out $(COMMANDS) $(SOURCES) $(INSTALLING) %/__pycache__,\
	$(wildcard tests/hub_client/*))
QUICK := $(PYTEST) -q -m "not slow"

test-hub: .venv/ready
	$(QUICK) $(HUB)

test-sources: .venv/ready
	$(QUICK) $(SOURCES)

test-installing: .venv/ready
	$(QUICK) $(INSTALLING)

test-towhee: .venv/ready
	$(QUICK) hub_client towhee tests \
		$(addprefix --ignore=,tests/hub_client $(OPERATORS))

test-commands: .venv/ready
	$(QUICK) $(COMMANDS)

test-operators: .venv/ready
	$(QUICK) $(OPERATORS)

## fuzz: for SECONDS, what parsers make of bytes that are made up to reach further
fuzz: .venv/ready
	$(BIN)/python tests/fuzz/guided.py --seconds $(or $(SECONDS),30) $(PARSERS)

## check: lint, types and import layers
check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

## format: let ruff format and mend what it can
format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## lock-dev: choose the newest development requirements and pin them
lock-dev: .venv/ready
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
		--no-annotate --upgrade --python-version 3.11 \
		--output-file requirements/dev.txt pyproject.toml requirements/dev.in
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
		--no-annotate --upgrade --python-version 3.11 --constraint requirements/dev.txt \
		--output-file requirements/demo.txt pyproject.toml requirements/demo.in

## benchmark: ratios against peers, printed as tables
benchmark: .venv/ready
	$(BIN)/python benchmarks/run_all.py

.venv/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.venv-demo/ready: requirements/demo.txt pyproject.toml
	$(PYTHON) -m venv .venv-demo
	$(DEMO)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	$(DEMO)/uv pip sync --quiet --python $(DEMO)/python --require-hashes requirements/demo.txt
	$(DEMO)/uv pip install --quiet --python $(DEMO)/python --no-deps --reinstall .
	$(DEMO)/hub install --no-project image-embedding-tiny search-vectors
	touch $@

clean:
	rm -rf .venv .venv-demo build dist demo-output
