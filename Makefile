# Everything runs in .venv, which the first target that needs it makes from the lock.

BIN := .venv/bin
PYTHON ?= python3 python3.13 python3.12 python3.11 python
STRIP := --keep-id --extra-keys "metadata.language_info.version metadata.papermill cell.metadata.papermill"
# The tour keeps its outputs, for those who look before they run.
STRIPPED := $(filter-out notebooks/00_tour.ipynb, $(wildcard notebooks/*.ipynb))
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# A uv that was installed into .venv counts after one of the machine.
export PATH := $(PATH):$(CURDIR)/$(BIN)

# By uv where there is one, and by pip where it fails, as it may where only pip knows the index.
# Bytecode is made at once: some machines forbid processes to write it, and then each parses anew.
install = { command -v uv >/dev/null \
	&& uv pip install --quiet --compile-bytecode --python $(BIN)/python $(1); } \
	|| $(BIN)/python -m pip install --quiet $(1)

.PHONY: report test torch cloud lab db check format bench study image load lock clean

report: .venv/installed  ## Run the demo and build its book: runs/demo/book/index.html
	$(BIN)/bqx run params/demo.yaml --out runs/demo

test: .venv/installed  ## Tests, doctests, and every notebook on its own parameters
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
		$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

torch: .venv/torch  ## The packages of the networks, beside those of the lock

cloud: .venv/cloud  ## The SageMaker SDK, beside the packages of the lock

lab: .venv/installed  ## JupyterLab on the notebooks
	$(BIN)/python -m jupyterlab notebooks

db: .venv/installed  ## A local PostgreSQL until Ctrl-C, for `bqx db`
	$(BIN)/bqx db serve runs/postgres

check: .venv/installed  ## Style, types, import direction, stripped notebooks, spelling, sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout $(STRIP) --verify $(STRIPPED)
	$(BIN)/codespell
	$(BIN)/python tests/house.py

format: .venv/installed  ## Mend what check finds, as far as it goes by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/nbstripout $(STRIP) $(STRIPPED)
	$(BIN)/python tests/pages.py

bench: .venv/benchmarks  ## Times against peers, into the book: book/benchmarks.json and its page
	$(BIN)/python -m pytest -m benchmarks -o faulthandler_timeout=0 tests/benchmarks --record

study: .venv/torch  ## The whole pipeline on hundreds of markets without and with a signal, into the book
	$(BIN)/python -m pytest -s -m studies -o faulthandler_timeout=0 tests/studies --record

image: .venv/installed  ## Build the image's root without Docker, as root on Debian, ask its server, into the book
	BQX_IMAGE_ROOT=$$(containers/rootfs.sh runs/image) $(BIN)/python -m pytest -s -m image tests/benchmarks --record

load: .venv/installed  ## Parity on thousands of minutes, 100 requests a second, 28 bundles, into the book
	nice $(BIN)/python -m pytest -s -m load -o faulthandler_timeout=7200 tests/benchmarks/test_load.py --record

clean:  ## Remove runs and caches, not .venv
	rm -rf runs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

lock:  ## Newest versions within the bounds of pyproject.toml, for all its Pythons; needs uv
	mkdir -p runs && rm -f runs/whole.lock
	$(COMPILE) --extra dev --extra bench --extra cloud --extra torch -o runs/whole.lock
	$(COMPILE) --extra dev -c runs/whole.lock -o requirements.lock
	for extra in bench cloud torch; do \
	    $(COMPILE) --extra $$extra -c runs/whole.lock -o runs/extra.lock; \
	    grep -vxFf requirements.lock runs/extra.lock \
	    | grep -Ev '^(cuda|nvidia|triton)' > requirements-$$extra.lock; \
	done
	grep -Ef containers/packages.txt requirements.lock > containers/requirements.lock

# One version of a package for all Pythons where there is one. nccl takes 470 MB for nothing.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
	--no-emit-index-url --no-annotate --no-header --quiet --no-emit-package nvidia-nccl-cu12

$(BIN)/python:
	@rm -rf .venv; \
	for python in $(PYTHON); do \
	    $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	        2>/dev/null || continue; \
	    { command -v uv >/dev/null && uv venv --quiet --seed --python $$python .venv; } && exit; \
	    rm -rf .venv; $$python -m venv .venv || continue; \
	    $(BIN)/python -m pip install --quiet uv || true; \
	    exit 0; \
	done; \
	echo "Python: none of 3.11 to 3.13 found as $(PYTHON); expected one on the PATH, with its venv." \
	    "Install one, or name it: make PYTHON=PATH." >&2; \
	exit 1

# The lock is complete, so nothing is resolved; and its own setuptools builds the package.
.venv/installed: requirements.lock pyproject.toml | $(BIN)/python
	$(call install,--no-deps -r requirements.lock)
	$(call install,--no-deps --no-build-isolation -e .)
	touch $@

# The peers that only benchmarks compare with, on top of the lock.
.venv/benchmarks: requirements-bench.lock .venv/installed
	$(call install,--no-deps -r requirements-bench.lock)
	touch $@

.venv/cloud: requirements-cloud.lock .venv/installed
	$(call install,--no-deps -r requirements-cloud.lock)
	touch $@

# What PyTorch needs besides differs between a CPU and a GPU build, so it names that itself; what
# both locks hold stays as it is. pip alone knows of wheels that lie on the machine.
.venv/torch: requirements-torch.lock .venv/installed
	$(BIN)/python -m pip install --quiet -c requirements.lock -r requirements-torch.lock
	touch $@
