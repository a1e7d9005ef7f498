# The commands that developers and CI use. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV ?= .venv
BIN := $(VENV)/bin
# A Python for which all dependencies have wheels. Where there is none, `make setup` fetches one. Override: make PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && command -v "$$p" && break; done)
LOCK := requirements.lock
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
UV_COMPILE = $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --custom-compile-command 'make lock'
ARGS ?=
# Their builds for the processor: none is in the lock file, because they are large and few need them.
EXTRAS := 'torch==2.13.0+cpu' 'onnx==1.23.2' 'triton==3.9.0' 'wgpu==0.32.0' 'ray[client]==2.60.0' 'pandas==3.1.1'
# Flower asks for older versions of typer, rich and protobuf than the lock file and ONNX have, and works with these too. So it is
# installed without what it asks for; the rest of that is for its command line and its servers.
EXTRAS += 'httpx==0.28.1' 'iterators==0.0.2' 'pycryptodome==3.24.1'
FLOWER := 'flwr==1.42.0'
# Tests wait more than they compute, so two files run at a time. WORKERS= runs them one by one.
WORKERS ?= -n 2 --dist loadfile
CC ?= cc
ARM_CC ?= aarch64-linux-gnu-gcc
CSRC := work/backends/native/csrc
SMALL_CSRC := primitives/native/csrc
SELFCHECK := tests/native/selfcheck.c tests/native/floats.c $(wildcard $(CSRC)/*.c)
PROGRAMS_CSRC := programs/native/csrc
PROGRAMS_SELFCHECK := tests/native/selfcheck_programs.c $(wildcard $(PROGRAMS_CSRC)/*.c)
PROGRAM_CASES := build/program-cases
SMALL_SELFCHECK := tests/native/selfcheck_primitives.c $(wildcard $(SMALL_CSRC)/*.c)
SANITIZE := $(CC) -O1 -g -Wall -Wextra -Werror -Wno-psabi -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZED := build/selfcheck-sanitized
ARM := build/selfcheck-arm

ZIGLANG := $(shell sed -n 's/^ZIGLANG: Final = "\(.*\)"/\1/p' tools/wasm_kernel.py)

.PHONY: help setup devnet test long lint models wasm lock oldest release sbom extras typescript sanitize cross bench attacks docs imports fuzz copies simulate format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with all tools for developers

$(STAMP): pyproject.toml setup.py $(LOCK) work/backends/native/build.py primitives/native/build.py programs/native/build.py $(wildcard $(CSRC)/* $(SMALL_CSRC)/* programs/native/csrc/*)
	@echo "making $(VENV): the dependencies are fetched and the kernels compiled, one to three minutes the first time"
	@if test -n "$(PYTHON)"; then "$(PYTHON)" -m venv $(VENV); else tools/fetch_python.sh $(VENV); fi
	@$(PIP) install --require-hashes --requirement $(LOCK)
	@$(PIP) --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "$(VENV) is ready"

devnet: setup ## start three nodes, paid jobs from real data, and a live view (Ctrl-C stops it; ARGS="..." adds options)
	@$(BIN)/inos devnet $(ARGS) || test $$? = 130 # Ctrl-C is how it is stopped

test: setup ## run the suite without the tests that take minutes (ARGS="-k name" narrows it)
	$(BIN)/python -P -m pytest $(WORKERS) -m "not long" $(ARGS)

long: setup ## run the tests that take minutes: documents, packages, kills, simulated networks
	$(BIN)/python -P -m pytest $(WORKERS) -m long $(ARGS)

lint: setup ## run ruff, mypy in strict mode, and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

models: setup ## regenerate client models, blocking methods and the RPC's examples (after the RPC or the client changed)
	@cd tools && PYTHONPATH=. ../$(BIN)/python -m rpc_examples
	@cd tools && PYTHONPATH=. ../$(BIN)/python -m client_code

wasm: setup ## compile the browser's kernel again (after work/backends/wasm/kernel.c or a header of the kernels changed)
	@$(PIP) install ziglang==$(ZIGLANG)
	@cd tools && PYTHONPATH=. ../$(BIN)/python -m wasm_kernel

lock: setup ## write the newest versions of all dependencies with their hashes into requirements.lock and deploy/requirements.txt
	@$(PIP) install --require-hashes --requirement tools/uv.lock
	@$(UV_COMPILE) --universal --python-version 3.11 --extra dev --output-file $(LOCK) pyproject.toml
	@$(BIN)/uv pip compile --quiet --generate-hashes --custom-compile-command 'make lock' --universal --python-version 3.11 \
		--no-annotate --constraint $(LOCK) --output-file deploy/requirements.txt pyproject.toml
	@echo uv | $(UV_COMPILE) --output-file tools/uv.lock -

oldest: setup ## run unit tests with the oldest versions that pyproject.toml allows, in build/oldest (ARGS="-k name" narrows it)
	@$(PIP) install --require-hashes --requirement tools/uv.lock
	@mkdir -p build
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct --extra test --output-file build/oldest.txt pyproject.toml
	@$(BIN)/uv venv --quiet --seed --clear --python $(BIN)/python build/oldest
	@build/oldest/bin/python -m pip --quiet --disable-pip-version-check install --requirement build/oldest.txt
	@build/oldest/bin/python -m pip -qq --disable-pip-version-check install --no-deps --no-build-isolation --editable .
	build/oldest/bin/python -P -m pytest $(WORKERS) $(ARGS) $(addprefix tests/unit/,chain primitives wallet rpc network node)

release: setup ## build source archive, wheel, installer and checksums of the last commit in build/release, the same bytes each time
	@$(BIN)/python tools/release.py $(ARGS)

sbom: setup ## list all dependencies with versions and hashes in build/sbom.json (CycloneDX)
	@test -x build/sbom/bin/cyclonedx-py || { $(BIN)/python -m venv build/sbom && \
		build/sbom/bin/python -m pip --quiet --disable-pip-version-check install 'cyclonedx-bom>=7,<8'; }
	build/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json $(LOCK)

extras: setup ## install what tests with extras need: torch for the processor, onnx, Triton, wgpu, Ray, pandas, Flower
	$(PIP) install --retries 0 --extra-index-url https://download.pytorch.org/whl/cpu $(EXTRAS)
	$(PIP) install --retries 0 --no-deps $(FLOWER)

typescript: ## install what the test of a generated TypeScript client needs (npm)
	npm ci --prefix tests/typescript --ignore-scripts --no-audit --no-fund

sanitize: setup ## run all C code on small inputs under AddressSanitizer and UndefinedBehaviorSanitizer
	@mkdir -p build
	$(SANITIZE) -I$(CSRC) $(SELFCHECK) -lm -o $(SANITIZED)
	$(SANITIZED)
	$(SANITIZE) -I$(SMALL_CSRC) $(SMALL_SELFCHECK) -o $(SANITIZED)-primitives
	$(SANITIZED)-primitives
	$(BIN)/python tests/native/program_cases.py $(PROGRAM_CASES)
	$(SANITIZE) -I$(PROGRAMS_CSRC) $(PROGRAMS_SELFCHECK) -o $(SANITIZED)-programs
	$(SANITIZED)-programs $(PROGRAM_CASES)

cross: setup ## compile the Arm kernels if there is a cross compiler, and run them if there is qemu
	@mkdir -p build
	@command -v $(ARM_CC) >/dev/null || { echo "skipped: no $(ARM_CC) (Debian: gcc-aarch64-linux-gnu)"; exit 0; }; \
	$(ARM_CC) -O2 -static -Wall -Wextra -Werror -I$(CSRC) $(SELFCHECK) -lm -o $(ARM) || exit 1; \
	$(ARM_CC) -O2 -static -Wall -Wextra -Werror -I$(SMALL_CSRC) $(SMALL_SELFCHECK) -o $(ARM)-primitives || exit 1; \
	$(ARM_CC) -O2 -static -Wall -Wextra -Werror -I$(PROGRAMS_CSRC) $(PROGRAMS_SELFCHECK) -o $(ARM)-programs || exit 1; \
	command -v qemu-aarch64 >/dev/null || { echo "compiled; not run: no qemu-aarch64 (Debian: qemu-user)"; exit 0; }; \
	qemu-aarch64 -cpu max $(ARM) && qemu-aarch64 -cpu max $(ARM)-primitives && \
	$(BIN)/python tests/native/program_cases.py $(PROGRAM_CASES) && qemu-aarch64 -cpu max $(ARM)-programs $(PROGRAM_CASES)

bench: setup ## measure what mining costs over multiplying, on this machine (ARGS="--rounds 3" adds options)
	$(BIN)/inos bench work $(ARGS)

attacks: setup ## measure cheating miners against an honest one (ARGS="--backend native-avx2" adds options)
	$(BIN)/python benchmarks/attacks.py $(ARGS)

fuzz: setup ## fuzz every decoder and the peer's state machine for ten minutes (ARGS="--seconds 60 rpc" narrows it)
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'atheris>=2.3'
	cd tests && PYTHONPATH=. ../$(BIN)/python -m fuzz.run $(ARGS)

docs: setup ## build the documents as a web site in build/site, and check links
	@$(BIN)/python -c "import material" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'mkdocs-material>=9.5,<10'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

imports: setup ## draw the packages and their imports into docs/img/imports.svg
	@$(BIN)/python docs/draw_imports.py

copies: setup ## simulate copies of matrices among 300 nodes that come and go (ARGS="--plot FILE.png" draws them)
	@$(BIN)/python benchmarks/mesh_copies.py $(ARGS)

simulate: setup ## run the simulated network's scenarios at full size and print a table (ARGS="--seed 2 calm-1000" narrows it)
	@cd tests && PYTHONPATH=. ../$(BIN)/python -m simulation $(ARGS)

format: setup ## let ruff format the code and fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
