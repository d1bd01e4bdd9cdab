# Everything runs in .venv, which the first target that needs it makes from the lock.

BIN := .venv/bin
STRIP := --keep-id --extra-keys "metadata.language_info.version metadata.papermill cell.metadata.papermill"
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: report test torch lab db check format bench study clean

report: .venv/installed  ## Run the demo and build its book: runs/demo/book/index.html
	$(BIN)/bqx run params/demo.yaml --out runs/demo

test: .venv/installed  ## Tests, doctests, and every notebook on its own parameters
	$(BIN)/python -m pytest

torch: .venv/torch  ## The packages of the networks, beside those of the lock

lab: .venv/installed  ## JupyterLab on the notebooks
	$(BIN)/python -m jupyterlab notebooks

db: .venv/installed  ## A local PostgreSQL until Ctrl-C, for `bqx db`
	$(BIN)/bqx db serve runs/postgres

check: .venv/installed  ## Style, types, import direction, stripped notebooks, spelling, sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/nbstripout $(STRIP) --verify notebooks/*.ipynb
	$(BIN)/codespell
	$(BIN)/python tests/house.py

format: .venv/installed  ## Mend what check finds, as far as it goes by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/nbstripout $(STRIP) notebooks/*.ipynb

bench: .venv/benchmarks  ## Times against peers, into the book: book/benchmarks.json and its page
	$(BIN)/python -m pytest -m benchmarks tests/benchmarks --record

study: .venv/torch  ## The whole pipeline on hundreds of markets without and with a signal, into the book
	$(BIN)/python -m pytest -s -m studies tests/studies --record

clean:  ## Remove runs and caches, not .venv
	rm -rf runs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# The lock is complete, so nothing is resolved; and its own setuptools builds the package.
.venv/installed: requirements.lock pyproject.toml
	@for python in python3.11 python3 python; do \
	    if $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
	    then exec $$python -m venv .venv; fi; \
	done; \
	echo "Python: no 3.11 found; expected python3.11 or python3 on the PATH. Install it." >&2; \
	exit 1
	$(BIN)/python -m pip install --quiet --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# The peers that only benchmarks compare with, on top of the lock.
.venv/benchmarks: requirements-bench.lock .venv/installed
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-bench.lock
	touch $@

# What PyTorch needs besides differs between a CPU and a GPU build, so it names that itself; what
# both locks hold stays as it is.
.venv/torch: requirements-torch.lock .venv/installed
	$(BIN)/python -m pip install --quiet -c requirements.lock -r requirements-torch.lock
	touch $@
