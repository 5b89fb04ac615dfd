# `make` lists the targets.

# What `make run` gives to `digits fit`: 0.9 of the 297 validation images and more, on two processes.
ARGS ?= --strategy ddp --devices 2 --epochs 10 --batch-size 16 --output runs/digits
# Compiler processes at a time; flags for every `swift build`, `swift run` and `swift test`; arguments of Benchmarks/run.
JOBS ?= $(shell nproc)
SWIFT_FLAGS ?=
BENCH ?=

SWIFT_SOURCES = $(wildcard Sources Examples Tests Benchmarks) Package.swift

.PHONY: help setup build run test bench format lint regenerate reference clean
.NOTPARALLEL:

help: ## List the targets
	@sed -n -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 20

setup: ## Get libtorch (once for all checkouts) and link it into this one
	@Scripts/setup

build: setup ## Build everything, for debugging
	swift build -j $(JOBS) $(SWIFT_FLAGS)

run: setup ## Train the digits classifier with ddp on two processes (other arguments: make run ARGS="...")
	swift run -c release -j $(JOBS) $(SWIFT_FLAGS) digits fit $(ARGS)

test: setup ## Test the scripts and everything else
	Tests/Scripts/run
	swift build --build-tests -j $(JOBS) $(SWIFT_FLAGS)
	Tests/Interoperability/run "$$(swift build --show-bin-path $(SWIFT_FLAGS))/digits"
	swift test --skip-build --no-parallel $(SWIFT_FLAGS)
	SWIFT_FLAGS="$(SWIFT_FLAGS)" Tests/Clients/run

bench: setup ## Measure, and print the table (arguments: make bench BENCH="...")
	Benchmarks/run $(BENCH)

format: ## Format the Swift sources
	swift format --in-place --recursive --parallel $(SWIFT_SOURCES)

lint: ## Check the format of the Swift sources
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)

regenerate: setup ## Generate the operator functions again from libtorch's declarations
	Scripts/generate

reference: ## Compute the tests' reference numbers again with PyTorch
	Tests/Reference/generate

clean: ## Remove what was built (libtorch, runs and downloads stay)
	rm -rf .build .build-*
