# Makefile - makes an environment of its own and runs reed in it; `make help` lists the targets.
#
# Needs python3 >= 3.11 with venv and headers, a C compiler and make. Everything Python goes into
# .venv; nothing is installed on the machine. PYTHON=python3.12 and CC=clang choose others.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# What the extension is built from: a change in any of these installs reed again. Folders are in
# the list because removing a file changes only its folder.
BUILD_INPUTS := pyproject.toml setup.py $(wildcard reed/*.pyx reed/*.pxd) \
                $(shell find csrc -type d -o -name '*.[ch]' -o -name '*.map' -o -name '*.in')
# Optional packages of the environment; `make test` says which tests want more.
EXTRAS := cli,durability,test
INSTALLED := $(VENV)/.installed-$(EXTRAS)

.DELETE_ON_ERROR:
.PHONY: help demo swift-demo swift-test test bench bench-quick bench-store coverage-durability simulate-store lint sdist wheel check-sdist environment clean

help:
	@echo 'make demo         protect real data, lose parts of it, get it back (under a minute)'
	@echo 'make test         every test that this machine can run; PYTEST_ARGS="-k cli" narrows it'
	@echo 'make bench        reed beside its peers and the limit of this machine; bench-quick: 3 min'
	@echo 'make bench-store  the store beside cat and plain files on this disk (five minutes)'
	@echo 'make coverage-durability  how often simulated intervals hold the exact answer'
	@echo 'make simulate-store  the store over disks that lie, fail and crash; MINUTES=, SEED='
	@echo 'make swift-demo   a flipped bit on a real OpenStack Swift, stock and with reed (3 minutes)'
	@echo 'make swift-test   the long run on Swift: bit rot, mixed clusters, 10+4 (15 minutes)'
	@echo 'make lint         style, by ruff'
	@echo 'make sdist wheel  distributions in dist/'
	@echo 'make check-sdist  builds the sdist, installs it in an empty environment, tests it there'
	@echo 'make clean        removes everything that the targets above made'

environment: $(INSTALLED)

$(INSTALLED): $(BUILD_INPUTS) tools/prerequisites.py
	@command -v $(PYTHON) >/dev/null || { \
	    echo '$(PYTHON) is not installed: apt-get install python3, or PYTHON=...' >&2; exit 1; }
	@$(PYTHON) tools/prerequisites.py
	@echo 'Making $(VENV) and building reed (a minute or two the first time) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --editable '.[$(EXTRAS)]'
	@touch $@

demo: environment
	@$(BIN)/python examples/demo.py

# With STATUS_FILE the recipe succeeds and leaves pytest's exit status there, so that nothing is
# printed after pytest's own closing line.
test: environment
	@$(BIN)/python -m pytest $(PYTEST_ARGS)$(if $(STATUS_FILE),; echo $$? >$(STATUS_FILE))

# The peers join the installed reed; nothing is built again. See benchmarks/README.md.
bench bench-quick: environment
	@$(PIP_INSTALL) 'reed-storage[bench]'
	@$(BIN)/python -m benchmarks.run $(if $(filter bench-quick,$@),--quick) $(BENCH_ARGS)
	@$(BIN)/python -m benchmarks.durability_claims --svg build/benchmarks/claims.svg

bench-store: environment
	@$(PIP_INSTALL) 'reed-storage[bench]' blake3
	@$(BIN)/python -m benchmarks.store $(BENCH_ARGS)

# Simulated intervals against exact answers, 1,200 of them; the tests run a quick form.
coverage-durability: environment
	@$(BIN)/python -m benchmarks.durability_coverage --workers 2

# Seeded trials of the store over disks that lie, fail and crash; MINUTES=60, or SEED= to replay one.
MINUTES ?= 5
simulate-store: environment
	@$(BIN)/python tests/simulate/store_trials.py $(if $(SEED),$(SEED),--minutes $(MINUTES) 1000000)

# OpenStack Swift goes into an environment of its own under build/swift, from PyPI.
swift-demo: environment
	@$(BIN)/python examples/swift_demo.py

swift-test: environment
	@$(BIN)/python tests/swift/long_run.py $(SWIFT_ARGS)

lint: environment
	@$(PIP_INSTALL) ruff
	@$(BIN)/ruff check .

sdist wheel: environment
	@$(PIP_INSTALL) build
	@$(BIN)/python -m build --$@

check-sdist: environment
	@$(PIP_INSTALL) build
	@$(BIN)/python tools/check_sdist.py $(PYTEST_ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info reed/_core.c reed/_core*.so reed/lib .pytest_cache .hypothesis \
	    .ruff_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
