# Everything a person or CI runs; it owns the virtual environment in .venv and installs what it needs.
# Needs beforehand: Python >= 3.11 with venv, a Rust toolchain, make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEPS := $(VENV)/.deps-installed
BUILT := $(VENV)/.extension-built
SOURCES := $(shell find core_rs bindings -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock pyproject.toml

export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-rust test-python lint format wheel wheel-demo lock clean \
	bench bench-full bench-paste bench-peers bench-instructions agreement firings fuzz loom miri sim-guard \
	kill9-guard stops disk-faults soak

help:  ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

setup: $(BUILT)  ## install the locked dependencies and build the extension

demo: $(BUILT)  ## break a limit on a paper account and watch it become flat
	@$(BIN)/edgeguard demo $(ARGS)

test: test-rust sim-guard sim-flatten test-python  ## run every test

test-rust: $(BUILT)
	cargo test --workspace --locked --quiet

test-python: $(BUILT)
	$(BIN)/python -m pytest $(ARGS)

sim-guard: SEEDS ?= 10000
PLANTS ?= 1
sim-guard:  ## simulate guard, gates, disk and network under faults: make sim-guard SEEDS=100000 [PLANTS=3] [ARGS="--story SEED"]
	cargo run --release --locked --quiet -p edgeguard-sim -- --seeds $(SEEDS) --plants $(PLANTS) $(ARGS)

kill9-guard: N ?= 1000
kill9-guard: $(BUILT)  ## kill -9 the guard at random points under load: make kill9-guard N=1000
	$(BIN)/python -m tests.process.kill_campaign --kills $(N) $(ARGS)

stops: N ?= 300
stops: $(BUILT)  ## SIGSTOP and SIGCONT guard and gates: make stops N=300
	$(BIN)/python -m tests.process.stop_campaign --stops $(N) $(ARGS)

disk-faults: $(BUILT)  ## make the disk fail, wait and refuse under a halt (needs strace), and print what was answered
	$(BIN)/python -m tests.process.disk_campaign

MINUTES ?= 30
soak: $(BUILT)  ## 20,000 ticks a second and no false close: make soak MINUTES=30 [ARGS="--ticks 20000 --batch 10"]
	$(BIN)/python -m tests.process.soak_campaign --minutes $(MINUTES) $(ARGS)

loom:  ## check every order in which the halt page's words may be seen, and that planted mistakes are found
	RUSTFLAGS="--cfg loom" cargo test --release --locked --quiet --target-dir target/loom \
		-p edgeguard-core --test loom_page $(ARGS)

miri:  ## run the page's and the gate's state machines under Miri (nightly: rustup +nightly component add miri)
	@cargo +nightly miri --version >/dev/null || { echo 'Miri is needed: rustup +nightly component add miri' >&2; exit 1; }
	cargo +nightly miri test --locked --target-dir target/miri -p edgeguard-core --test miri_page $(ARGS)

TAPES := 2000
agreement: $(BUILT)  ## compare the engine with the oracle, byte for byte: make agreement TAPES=100000 [ARGS="--seed N"]
	$(BIN)/python -m tests.oracle.agreement --tapes $(TAPES) --jobs $$(nproc) --keep var/disagreements $(ARGS)

.PHONY: sim-flatten kill9-worker
sim-flatten: SEEDS ?= 2000
sim-flatten: $(BUILT)  ## simulate the flattener under faults and kills, and plant bugs in it: make sim-flatten SEEDS=100000 [WITHIN=60, minutes]
	$(BIN)/python -m tests.sim.flatten --seeds $(SEEDS) --minutes $(or $(WITHIN),inf) --plants 2000

kill9-worker: N ?= 1000
kill9-worker: $(BUILT)  ## kill -9 the broker's real processes in the middle of flattens: make kill9-worker N=1000
	$(BIN)/python -m tests.process.kill9_worker --kills $(N) $(ARGS)

firings: $(BUILT)  ## how often each trigger fires on the shared real ticks (docs/TRIGGERS.md section 11)
	$(BIN)/python -m benches.firings

FUZZ := target/tools/bin/cargo-fuzz
FUZZ_SECONDS := 60
fuzz: $(BUILT) $(FUZZ)  ## fuzz decoding, the engine's step and tick files (needs a nightly toolchain; FUZZ_SECONDS each)
	@cargo +nightly --version >/dev/null || { echo 'a nightly toolchain is needed: rustup toolchain install nightly' >&2; exit 1; }
	$(BIN)/python -m tests.fuzz_corpus core_rs/fuzz/corpus
	set -e; for target in wire step ticks; do \
		(cd core_rs && PATH="$(CURDIR)/target/tools/bin:$$PATH" cargo +nightly fuzz run --target-dir ../target/fuzz $$target \
			-- -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=3000); \
	done

$(FUZZ):
	cargo install cargo-fuzz --version 0.13.2 --locked --root target/tools

lint: $(BUILT)  ## formatters, linters, types, import floors, stub of the extension
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest edgeguard._core

format: $(DEPS)  ## rewrite sources in the project's form
	cargo fmt --all
	$(BIN)/ruff check --fix-only --select I
	$(BIN)/ruff format

wheel: $(DEPS)  ## build the wheel into dist/
	rm -rf dist
	$(BIN)/maturin build --release --locked --out dist

wheel-demo: wheel  ## run the demo and the runbook's commands from the installed wheel in a clean environment elsewhere
	set -eu; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	$(PYTHON) -m venv "$$place/venv"; \
	"$$place/venv/bin/pip" install --quiet --require-hashes -r requirements/runtime.txt; \
	"$$place/venv/bin/pip" install --quiet --no-deps --no-index dist/*.whl; \
	cp -r tests config pyproject.toml "$$place"; \
	cd "$$place" && "$$place/venv/bin/edgeguard" demo --json; \
	export PYTHONPATH="$$("$(CURDIR)/$(BIN)/python" -c 'import pytest; print(pytest.__path__[0].removesuffix("/pytest"))')"; \
	"$$place/venv/bin/python" -c 'import edgeguard, execution.emergency_shutdown as shutdown; \
		assert all("/venv/" in one.__file__ for one in (edgeguard, shutdown)), edgeguard.__file__'; \
	"$$place/venv/bin/python" -m pytest -q -p no:cacheprovider tests/e2e/test_runbook.py -k "$(RUNBOOK)"

# The runbook's three commands as printed, and the files for a user's own package of that name. Of the checkout's
# environment only what runs tests is lent: an editable install is not found by PYTHONPATH.
RUNBOOK := flattens_every or goes_on_and_off or ends_in_messages or thin_files

.PHONY: wheel-pure
wheel-pure: wheel  ## build the wheel without the extension (py3-none-any) and prove it in a clean environment
	$(BIN)/python deploy/pure_wheel.py dist/*.whl
	$(BIN)/python -m tests.e2e.pure_wheel dist/*-py3-none-any.whl

bench: $(BUILT)  ## measure everything once, in about five minutes (ARGS: groups, see docs/PERFORMANCE.md)
	$(BIN)/python -m benches $(ARGS)

bench-full: $(BUILT) bench-peers  ## measure everything thoroughly, on a machine that does nothing else
	$(BIN)/python -m benches --full $(ARGS)

bench-paste: $(BUILT)  ## put the last run's table into docs/PERFORMANCE.md
	$(BIN)/python -m benches.paste

bench-peers: .venv-peers/.installed  ## install what EdgeGuard is compared with, apart from its own packages

bench-instructions: $(BUILT)  ## hold the core's instructions per tick under their bounds (needs valgrind)
	$(BIN)/python -m benches.instructions

# vn.py without its dependencies: its event engine and objects need none. A peer that cannot be had is
# skipped by name in the report.
.venv-peers/.installed:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet nautilus_trader==1.221.0 || echo 'bench-peers: no NautilusTrader'
	.venv-peers/bin/pip install --quiet --no-deps vnpy==4.1.0 || echo 'bench-peers: no vn.py'
	touch $@

lock: $(DEPS)  ## compile requirements/*.txt anew from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml $(LOCK_FLAGS) --output-file requirements/runtime.txt
	$(BIN)/uv pip compile --quiet pyproject.toml $(LOCK_FLAGS) --extra dev \
		--constraint requirements/runtime.txt --output-file requirements/dev.txt

LOCK_FLAGS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

clean:  ## remove what was built or installed here
	rm -rf $(VENV) .venv-peers target dist var benches/results edgeguard/_core*.so

$(DEPS): requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	touch $@

$(BUILT): $(DEPS) $(SOURCES)
	PIP_QUIET=1 $(BIN)/maturin develop --release --locked --quiet
	touch $@
