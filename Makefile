# A thin cover over meson and ninja. `make help` lists what can be made.
#   SAN=address|undefined|thread   build and test with sanitizers (address brings undefined too)
#   FUZZ_SECONDS=60                how long each fuzzer runs
#   LINT=all|style|analysis        what is looked for: style takes seconds, analysis minutes
#   PREFIX=/usr/local DESTDIR=     where `make install` puts things

SAN ?=
FUZZ_SECONDS ?= 60
# not ?=: make has a LINT of its own
LINT := all
PREFIX ?= /usr/local
BENCH ?=
SETUP := tools/setup-debian.sh

# Sanitized programs are linked by the hundred: names and lines for their reports, no more, and the optimisation
# that compiles fastest with checks in.
CHECKED := -Db_lundef=false -Doptimization=1 -Dc_args=-g1

ifeq ($(SAN),)
  B := build
  SANFLAGS :=
else ifeq ($(SAN),address)
  B := build-address
  SANFLAGS := -Db_sanitize=address,undefined $(CHECKED)
else
  B := build-$(SAN)
  SANFLAGS := -Db_sanitize=$(SAN) $(CHECKED)
endif

.PHONY: all build demo test bench lint fuzzers fuzz install uninstall help clean format
.DEFAULT_GOAL := build
all: build

build: ## build the program and the libraries (installs missing packages first)
	@$(SETUP) build
	@test -f $(B)/build.ninja || meson setup $(B) --prefix=$(PREFIX) -Dtests=false $(SANFLAGS) >$(B).log 2>&1 || (cat $(B).log; exit 1)
	@ninja -C $(B) --quiet

demo: build ## make a throw-away persona from examples/person and ask it three questions
	@tools/demo.sh $(B)/src/cli/likeness

test: ## all tests; the last line counts them (SAN=address, SAN=thread for sanitized runs)
	@$(SETUP) build test
	@test -f $(B)/build.ninja || CC_LD=lld meson setup $(B) --prefix=$(PREFIX) $(SANFLAGS) >$(B).log 2>&1 || (cat $(B).log; exit 1)
	@meson configure $(B) -Dtests=true
	@ninja -C $(B) --quiet $$(python3 tools/runtests.py $(B) --targets)
	@python3 tools/runtests.py $(B)

bench: ## measure: prints a table, writes build/bench.json (BENCH="names" for some of them)
	@$(SETUP) build bench
	@test -f build-bench/build.ninja || meson setup build-bench -Dbench=true -Dtests=false -Dbuildtype=release >build-bench.log 2>&1 || (cat build-bench.log; exit 1)
	@ninja -C build-bench --quiet
	@mkdir -p build
	@build-bench/bench/bench -o build/bench.json $(BENCH)

lint: ## formatting, static analysis, include arrows, file sizes
	@$(SETUP) build test
	@test "$(LINT)" = style || test -f build/build.ninja || meson setup build >build.log 2>&1 || (cat build.log; exit 1)
	@tools/lint.sh $(LINT) build

fuzzers: ## build the fuzzers
	@$(SETUP) build test
	@test -f build-fuzz/build.ninja || CC=clang-14 CC_LD=lld meson setup build-fuzz -Dfuzz=true -Dtests=false -Db_sanitize=address,undefined $(CHECKED) >build-fuzz.log 2>&1 || (cat build-fuzz.log; exit 1)
	@ninja -C build-fuzz --quiet $$(ls fuzz/fuzz_*.c | sed 's,.*/\(.*\)\.c,\1,')

fuzz: fuzzers ## run every fuzzer for FUZZ_SECONDS
	@tools/fuzz.sh build-fuzz $(FUZZ_SECONDS)

install: build ## install program, library, header, man page, completions under PREFIX
	@meson configure $(B) --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(B) --quiet
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

uninstall: ## remove what `make install` put there
	@ninja -C $(B) uninstall

format: ## put the C files into the house style
	@clang-format-14 -i $$(git ls-files '*.c' '*.h')

clean: ## remove build folders
	@rm -rf build build-*

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile
