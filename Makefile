# make demo          train the embedded reviews on both engines, deploy them on chips; then: . .venv/bin/activate
# make test          run the tests
# make test-all      run them with all rows of large tables, of which `make test` takes a third
# make test-nojit    run the tests of the kernels without compiling them
# make lint          ruff and mypy
# make docs          the documentation as a site: build/docs/index.html; PICTURES=no leaves out drawing
# make studies       the figures of the documentation once more; DATA=folder ONLY="name ..." LIST=yes: docs/studies.md
# make release       wheel and source archive, each tried outside this folder
#
# Each sets up .venv by itself, once. Needed beforehand: Python 3.11 to 3.13 and make.
# Another torch build: make test TORCH="torch==2.8.0"

VENV   ?= .venv
TORCH  ?= torch==2.13.0
JOBS   ?= 2
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)

BIN   := $(VENV)/bin
READY := $(VENV)/.ready

# One thread for BLAS in each of JOBS test workers; two for Numba, because some tests compare thread counts.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
test test-all test-nojit: export NUMBA_NUM_THREADS ?= 2
# Many tests start Python anew: sources are parsed once, whatever is set outside.
test test-all test-nojit: export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-all test-nojit lint docs studies release clean

demo: $(READY)
	$(BIN)/neuroep demo
	@echo "'neuroep' is $(abspath $(BIN))/neuroep; so that the shell finds it by its name: . $(BIN)/activate"

test: $(READY)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-all: export NEUROEP_EVERY_PAIR = 1
test-all: test

# The kernels as plain Python: what the compiler may not change, and what coverage can see.
test-nojit: $(READY)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m kernels

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# A warning is an error. What is made from the code is written into docs/generated, pictures only where they changed.
docs: $(READY)
	@$(BIN)/python -c 'import furo, myst_parser, sphinx, ziamath' 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[docs]'
	PICTURES=$(PICTURES) $(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet docs build/docs
	@echo "open $(abspath build/docs/index.html)"

studies: $(READY)
	@$(BIN)/python docs/studies.py $(ONLY) $(if $(DATA),--data '$(DATA)') $(if $(LIST),--list)

# The wheel runs the demo, and the source archive its lint and some tests, in folders of their own below build/release.
# The wheel is installed with the lowest versions that pyproject.toml allows of each dependency: make release LOWEST=yes
release: $(READY)
	@$(BIN)/python -c 'import build' 2>/dev/null || $(BIN)/python -m pip install --quiet build
	PYTHON='$(BIN)/python' TORCH='$(TORCH)' LOWEST='$(LOWEST)' bash tests/release.sh

clean:
	rm -rf $(VENV) build docs/generated *.egg-info .mypy_cache .ruff_cache .pytest_cache

# torch comes first and pinned: left to the resolver, its range may fetch gigabytes of another build.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11 to 3.13 found: make PYTHON=/path/to/python3" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/python -m pip install --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[test,dev]'
	@touch $@
