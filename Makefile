# SPDX-License-Identifier: GPL-2.0-only
#
# vfio_migmux: module, tools, tests. See "make help".

KDIR ?= /lib/modules/$(shell uname -r)/build
BUILD ?= $(CURDIR)/build
PREFIX ?= /usr/local
DESTDIR ?=
# no: vfmig without --tls, which needs no GnuTLS
TLS ?= yes

# For tools/vfmig, selftests and scripts. An absolute path: they run elsewhere.
override BUILD := $(abspath $(BUILD))
export BUILD PREFIX DESTDIR TLS

VM := selftests/vm

# Before 6.13 kbuild puts objects beside the sources. So it is given a tree of links to
# them under build/, one per kernel release, and the source tree stays clean.
krel := $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null)
farm := $(BUILD)/$(krel)
migsim := selftests/migsim
linked := . kernel uapi/linux $(migsim)

# BTF for modules needs pahole, and is no loss without it.
submake = $(MAKE) --no-print-directory
kbuild = $(submake) -C $(KDIR) \
	$(if $(shell command -v pahole),,CONFIG_DEBUG_INFO_BTF_MODULES=)

.PHONY: all module migsim tools unit install install-module install-tools clean
.PHONY: style generate check check-debug check-short check-faults check-qemu fuzz soak demo \
	bench vm-build vm-tests vm-qemu check-llvm kunit debug-kernel coverage trust-report \
	test-deps farm need-kdir need-libs help

all: module tools

need-kdir:
	@test -n "$(krel)" || { echo "no kernel headers in $(KDIR): install the package" \
		"linux-headers-$$(uname -r), or name a kernel's build tree with KDIR=" >&2; \
		exit 1; }

need-libs:
	@command -v pkg-config >/dev/null || \
		{ echo "pkg-config is missing: install the package pkg-config" >&2; exit 1; }
	@set -e; need() { pkg-config --exists $$1 || \
		{ echo "$$1 is missing: install the package $$2" >&2; exit 1; }; }; \
	need libnl-3.0 libnl-3-dev; need libnl-genl-3.0 libnl-genl-3-dev; \
	need json-c libjson-c-dev; \
	[ "$(TLS)" = no ] || need gnutls "libgnutls28-dev, or build with TLS=no"

# Links to files that are gone would still be compiled.
farm: need-kdir
	@mkdir -p $(linked:%=$(farm)/%)
	@find $(farm) -xtype l -delete
	@$(foreach d,$(linked),ln -sf -t $(farm)/$(d) \
		$(filter-out %.mod.c,$(wildcard $(CURDIR)/$(d)/*.[ch] $(CURDIR)/$(d)/Kbuild));)

module: farm
	+$(kbuild) M=$(farm) modules

migsim: farm
	+$(kbuild) M=$(farm)/$(migsim) modules

tools: need-libs
	+$(submake) -C tools/vfmig

# The tests of the pure parts, in userspace.
unit: test-deps
	+@$(kenv) && $(submake) -C selftests/unit run OUTPUT=$(BUILD)/unit $(harness)

install: install-module install-tools

install-module: module
	+$(kbuild) M=$(farm) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod $(krel))
	install -d $(DESTDIR)$(PREFIX)/include/linux
	install -m 644 uapi/linux/*.h $(DESTDIR)$(PREFIX)/include/linux/

install-tools: tools
	+$(submake) -C tools/vfmig install

clean:
	rm -rf $(BUILD)
	@$(submake) -C tools/vfmig clean

style:
	@$(VM)/deps build style
	@selftests/style/check

generate:
	@$(VM)/deps build style
	@selftests/style/generated --write

# --- tests, which use the kernels in the cache (see selftests/vm/deps, debug-kernel) --

# stock or debug: for which kernel vm-build and vm-tests build, and which check boots
KERNEL ?= stock
kenv = eval "$$($(VM)/deps env)"$(if $(filter debug,$(KERNEL)), && eval "$$($(VM)/debug-kernel env)")
harness = KSELFTEST_DIR="$$KSOURCE/tools/testing/selftests"

test-deps:
	@$(VM)/deps build tests

# Minutes of compiling, once.
debug-kernel:
	@$(VM)/debug-kernel build

# The unit tests as a module for KUnit, which needs its sources in one place.
kunit_files = $(wildcard $(CURDIR)/selftests/kunit/* $(CURDIR)/selftests/unit/*.h) \
	$(filter-out %/test_capture.c,$(wildcard $(CURDIR)/selftests/unit/test_*.c)) \
	$(patsubst %,$(CURDIR)/kernel/%.c,wire wire_reply gather plan sched policy dma_range)
kunit: farm
	@mkdir -p $(farm)/selftests/kunit
	@ln -sf -t $(farm)/selftests/kunit $(kunit_files)
	+$(kbuild) M=$(farm)/selftests/kunit modules

# clang builds the modules, too, for the debug kernel's source, and has no warning.
check-llvm:
	@$(VM)/debug-kernel clang
	+@eval "$$($(VM)/debug-kernel clang-env)" && $(submake) -s BUILD=$(BUILD)/llvm \
		KDIR="$$KDIR" LLVM="$$LLVM" KCFLAGS=-Werror module migsim kunit

# What boots in the test hosts.
vm-build: $(if $(filter debug,$(KERNEL)),debug-kernel)
	@$(VM)/deps build vm
	@echo "building for the test hosts" >&2
	+@$(kenv) && $(submake) -s KDIR="$$KDIR" module migsim tools \
		$(if $(filter debug,$(KERNEL)),kunit KCFLAGS=-Werror)
	+@$(submake) -s -C selftests/tools OUT=$(BUILD)/guest

# Programs that test there, and so need the kernel's test harness.
vm-tests: vm-build test-deps
	+@$(kenv) && $(submake) -s -C selftests/migsim test OUT=$(BUILD)/guest $(harness)
	+@$(kenv) && $(submake) -s -C selftests/kselftest OUTPUT=$(BUILD)/guest $(harness)
	+@$(submake) -s -C selftests/fuzz guest OUTPUT=$(BUILD)/guest

check: vm-tests
	@$(VM)/check --kernel $(KERNEL) $(ONLY)

# The same in the debug kernel, which is several times slower.
check-debug:
	+@$(submake) check KERNEL=debug

# A quarter of an hour of it, of failures, fuzzers and storms (see selftests/trust/short).
check-short:
	+@$(submake) vm-tests KERNEL=debug
	@selftests/trust/short

# All failures that the debug kernel can inject into the module. FAULTS= names some of what
# is swept; FAULT_STEP= and FAULT_SECONDS= take less of it (see trust/faults).
check-faults:
	+@$(submake) vm-tests KERNEL=debug
	@selftests/trust/faults

# What of kernel/ has run in the debug kernel, in all runs since the sources changed last.
coverage:
	@selftests/trust/coverage
	@mkdir -p $(BUILD)/coverage
	@selftests/trust/coverage missed >$(BUILD)/coverage/missed.txt
	@echo "what never ran is listed in $(BUILD)/coverage/missed.txt"

trust-report:
	@selftests/trust/report

# Stock QEMU in a test host. ROUNDS= and more (see its qemu.sh) come from the environment.
vm-qemu: vm-build
	@$(VM)/deps qemu
	+@$(submake) -s -C selftests/qemu OUT=$(BUILD)/qemu

check-qemu: vm-qemu
	@selftests/qemu/check

# FUZZ_SECONDS= for each fuzzer, and FUZZ_SEED= for those in a test host, which with
# KERNEL=debug is one where programs of ioctls are guided by what they reach. ONLY= of wire,
# reply, gather, host and hosts.
fuzz: vm-tests
	@$(VM)/deps fuzz
	+@$(submake) -s -C selftests/fuzz OUTPUT=$(BUILD)/fuzz
	@KERNEL=$(KERNEL) selftests/fuzz/fuzz $(ONLY)

# SECONDS= of storms, and KILLS= before them; STORM_SEED= repeats a run. In the stock kernel,
# or the debug one.
soak: SECONDS ?= 1800
soak: KILLS ?= 500
soak: vm-tests
	@$(VM)/run --kernel $(KERNEL) --timeout $$(($(SECONDS) + 3 * $(KILLS) + 300)) \
		--env STORM_SECONDS=$(SECONDS) --env KILLS=$(KILLS) \
		--env STORM_SEED=$(STORM_SEED) --record soak selftests/fuzz/storm.sh

# DEVICES=, STATE_MIB=, MS_PER_MIB= and ARC_MS= reach it as make was given them.
demo: vm-build
	@selftests/demo/demo

# BENCH_JSON= names a file for the results. What the stock kernel lacks is measured in the
# debug kernel.
bench: vm-qemu
	+@$(submake) vm-build KERNEL=debug
	@$(VM)/deps bench
	+@$(submake) -s -C selftests/bench OUT=$(BUILD)/guest
	@selftests/bench/bench

help:
	@echo 'make             the module for the running kernel (or KDIR=...), and the tools'
	@echo 'make install     both, with headers and man pages (DESTDIR=, PREFIX=)'
	@echo 'make clean       remove all that make made'
	@echo
	@echo 'These install missing packages with apt (as root or by sudo), and keep a stock'
	@echo 'kernel, not installed, in ~/.cache/vfio_migmux (VFIO_MIGMUX_CACHE=):'
	@echo 'make demo        move the state of four devices from one VM to another'
	@echo '                 (DEVICES= STATE_MIB= MS_PER_MIB= ARC_MS=)'
	@echo 'make check       all tests (or ONLY="NAME..." of $(VM)/tests)'
	@echo 'make check-debug the same in a 7.3 kernel with KASAN, lockdep and more, then kmemleak'
	@echo 'make check-short a quarter of an hour of that, and of failures, fuzzers and storms'
	@echo 'make check-llvm  clang compiles the modules without a warning'
	@echo 'make check-qemu  stock QEMU migrates with and without a set, and with our sessions on'
	@echo '                 the other end (ROUNDS=)'
	@echo 'make unit        the tests that need no VM'
	@echo 'make fuzz        the fuzzers, a minute each (FUZZ_SECONDS=, FUZZ_SEED=, ONLY=)'
	@echo 'make soak        migrations in kills, resets, cut links and limits (SECONDS=, KILLS=)'
	@echo 'make check-faults each call of the module that can fail does, in turn (FAULTS=)'
	@echo 'make coverage    lines of kernel/ that ran in the debug kernel'
	@echo 'make trust-report a table of what the last runs of all of these have found'
	@echo 'make bench       measure'
	@echo 'make style       all style checks'
	@echo 'make generate    write the files generated from the netlink spec'
	@echo 'make vm-tests    build what $(VM)/run needs to run one test by hand'
