# SPDX-License-Identifier: Apache-2.0
#
# Keystead's house-keeping, a thin layer over Meson. `make help` lists the targets.
# Everything that is made goes to build/; `make clean` removes it.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
FUZZ_SECONDS ?= 20

export BUILD FUZZ_SECONDS KEEP

.DEFAULT_GOAL := build
.PHONY: help deps build test e2e crash demo check check-peers peers bench lint lint-selftest fuzz install clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

deps: ## install what is missing (Debian 12, root or sudo); starts no service
	@tools/deps.sh

build: ## build the program: build/release/src/cli/keystead
	@tools/build.sh release

test: ## unit, contract, crash, fault and CLI tests only
	@tools/build.sh gcc
	@meson test -C $(BUILD)/gcc --print-errorlogs

e2e: build ## the end-to-end tests with real engines only
	@tools/e2e.sh $(BUILD)/release

crash: ## power loss at length, before a release: 10 000 sequences of each kind, 200 states of each engine
	@tools/build.sh gcc
	@KEYSTEAD_CRASH_SEQUENCES=10000 $(BUILD)/gcc/tests/crash/volume_crash_test
	@KEYSTEAD_CRASH_SEQUENCES=10000 $(BUILD)/gcc/tests/crash/names_crash_test
	@tools/e2e.sh $(BUILD)/gcc -k powerloss -s

check: ## everything that must pass before a change lands
	@tools/check.sh

lint: ## formatting, clang-tidy, cppcheck and our own rules
	@tools/lint/lint.sh

lint-selftest: ## each rule of ours against its good and its bad example
	@tools/lint/run.py --selftest

fuzz: ## each fuzz target for FUZZ_SECONDS (default 20)
	@tools/build.sh fuzz
	@tools/fuzz.sh $(BUILD)/fuzz

demo: deps build ## the whole story on this machine; KEEP=1 leaves everything running
	@KEYSTEAD_BIN=$(CURDIR)/$(BUILD)/release/src/cli/keystead tools/demo/run.sh

bench: export KEYSTEAD_BIN = $(CURDIR)/$(BUILD)/release/src/cli/keystead
bench: peers build ## measure against plain ext4, a passthrough and other encrypting file systems, and key services; BENCH_OPTIONS=--quick is short
	@bench/kms.py
	@bench/run
	@bench/scale.py $(filter --quick,$(BENCH_OPTIONS))
	@bench/profiles.py $(filter --quick,$(BENCH_OPTIONS))

peers: deps ## install key services and clients that are not ours, as far as they can be had
	@tools/peers.sh

check-peers: peers ## the tests against them; those of a peer that is not there are skipped
	@tools/build.sh gcc
	@tools/check-peers.sh $(BUILD)/gcc

install: build ## install program, man page, completion and unit under PREFIX (DESTDIR honoured)
	@meson configure $(BUILD)/release -Dprefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)/release --quiet

clean: ## remove everything that was made
	rm -rf $(BUILD)
