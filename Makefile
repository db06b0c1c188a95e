# SPDX-License-Identifier: MIT
# Kine: `make help` says what there is to do.
empty :=
comma := ,
# A campaign draws from lists; what has been given is taken.
CAMPAIGN := $(filter stress report,$(MAKECMDGOALS))
SMP ?= 8
MEM ?= $(if $(CAMPAIGN),256M$(comma)64M$(comma)1G,1G)
SEED ?= 1
TIME ?= 60
REFS ?= $(if $(CAMPAIGN)$(filter bench,$(MAKECMDGOALS)),cas$(comma)freelock$(comma)biglock,cas)
TOOLS ?=
MUTANT ?=
CPU ?=
MACHINE ?=
DISK ?=
V ?= 0

# Tools that are built into a kernel; each has a folder of its own: out/cas, out/cas-check, ...
# TOOLS=race,ghost and RACE=1 GHOST=1 are the same.
WATCHES := RACE LOCKDEP SCHED KASAN UBSAN GHOST TRACK
ASKED := $(shell echo '$(TOOLS)' | tr a-z, 'A-Z ')
$(if $(filter-out $(WATCHES),$(ASKED)),$(error TOOLS: there is no $(filter-out $(WATCHES),$(ASKED))))
ASKED += $(foreach t,$(WATCHES),$(if $(filter 1,$($(t))),$(t)))
CHECK ?= $(if $(CAMPAIGN),$(if $(strip $(ASKED)),0,1),0)
LOCKDEP ?= $(CHECK)

CROSS ?= riscv64-unknown-elf-
CC := $(CROSS)gcc
QEMU ?= qemu-system-riscv64
PYTHON := $(if $(wildcard /usr/bin/python3),/usr/bin/python3,python3)
OUT := out

# A mutant is built with the REFS in whose tree it stands: docs/mutants.md says which.
ifneq ($(MUTANT),)
STANDS := $(shell $(PYTHON) stress/mutantbuild.py $(MUTANT) $(if $(filter-out file,$(origin REFS)),$(REFS)))
$(if $(filter 1,$(words $(STANDS))),,$(error MUTANT=$(MUTANT): $(or $(STANDS),stress/mutantbuild.py failed)))
REFS := $(STANDS)
endif

ON := $(if $(filter 1,$(CHECK)),CHECK) $(foreach t,$(WATCHES),$(if $(filter 1,$($(t)))$(filter $(t),$(ASKED)),$(t)))
$(if $(filter RACE,$(ON)),$(if $(filter KASAN,$(ON)),$(error RACE and KASAN exclude each other)))
# CHECK brings LOCKDEP along, unless LOCKDEP=0; the folder's name tells what is unusual.
SHOWN := $(if $(filter 1,$(CHECK)),$(filter-out LOCKDEP,$(ON)) $(if $(filter LOCKDEP,$(ON)),,nolockdep),$(ON))
SUFFIX := $(subst $(empty) $(empty),-,$(strip $(shell echo $(SHOWN) | tr A-Z a-z) $(MUTANT)))
KNAME := $(REFS)$(SUFFIX:%=-%)
KOUT := $(OUT)/$(KNAME)
Q := $(if $(filter 1,$(V)),,@)

.DEFAULT_GOAL := all
.PHONY: all kernel qemu qemu-gdb gdb help clean deps print-packages
all: kernel $(OUT)/initrd.cpio

# ---- kernel ----
UNUSED := $(foreach t,$(filter-out $(ON),RACE KASAN UBSAN TRACK),kernel/sync/$(shell echo $(t) | tr A-Z a-z)%.c)
KSRC := $(filter-out kernel/mm/freelist_%.c $(UNUSED),$(wildcard kernel/*.c kernel/*/*.c)) \
        kernel/mm/freelist_$(if $(filter cas,$(REFS)),hart,global).c
KASM := $(wildcard kernel/riscv/*.S)
KOBJ := $(KSRC:kernel/%.c=$(KOUT)/%.o) $(KASM:kernel/%.S=$(KOUT)/%.S.o)
KISA := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
KFLAGS := $(KISA) --specs=picolibc.specs -std=gnu11 -O2 -g -ffreestanding -fno-omit-frame-pointer -fno-common -fno-pic \
          -fno-tree-loop-distribute-patterns -fno-stack-protector -msmall-data-limit=0 -Ikernel \
          -Wall -Wextra -DREFS_$(shell echo $(REFS) | tr a-z A-Z) -DVERSION='"0.1"' -DKERNEL_NAME='"$(KNAME)"' \
          $(ON:%=-D%) $(if $(MUTANT),-DMUTANT_$(MUTANT))

# What the tools instrument: all but themselves and what speaks when all is lost.
SEEN_FLAGS := $(if $(filter RACE,$(ON)),-fsanitize=thread --param tsan-distinguish-volatile=1 -Wno-tsan) \
              $(if $(filter KASAN,$(ON)),-fsanitize=kernel-address --param asan-instrumentation-with-call-threshold=0 \
                  --param asan-globals=1 --param asan-stack=0) \
              $(if $(filter UBSAN,$(ON)),-fsanitize=undefined -fsanitize=bounds-strict)
# Functions that move memory are seen at their door (race_tsan.c, kasan.c), allocators at theirs (kasan_heap.c).
UNSEEN := kernel/sync/race%.c kernel/sync/lockdep%.c kernel/panic.c kernel/symbols.c kernel/lib/%.c \
          kernel/sync/kasan%.c kernel/sync/ubsan%.c kernel/sync/track%.c kernel/sync/schedule%.c $(if $(filter KASAN,$(ON)),kernel/mm/cache.c)
MOVERS := memcpy memset page_zero page_copy
DOORS := $(if $(filter RACE,$(ON)),$(MOVERS)) $(if $(filter KASAN,$(ON)),$(MOVERS) uaccess_copy boot_alloc \
         $(addprefix freelist_,take give give_zeroed count each add_virgin) frame_free frame_free_zeroed \
         $(addprefix cache_,init alloc free))

kernel: $(KOUT)/kernel.elf

$(KOUT)/%.o: kernel/%.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC  $<")
	$(Q)$(CC) $(KFLAGS) $(if $(filter-out $(UNSEEN),$<),$(SEEN_FLAGS)) $(if $(filter kernel/sync/race%,$<),-fomit-frame-pointer) -MMD -MP -c $< -o $@

$(KOUT)/%.S.o: kernel/%.S Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AS  $<")
	$(Q)$(CC) $(KFLAGS) -D__ASSEMBLER__ -MMD -MP -c $< -o $@

# Linked twice: the second time with the names of what the first one placed.
# picolibc's printf is taken without floating point, for which there are no registers in the kernel.
KLD := $(CC) -march=rv64imac -mabi=lp64 --specs=picolibc.specs -nostartfiles -static \
       -Wl,--no-relax,--no-gc-sections,--no-warn-rwx-segments -DPICOLIBC_INTEGER_PRINTF_SCANF \
       $(addprefix -Wl$(comma)--wrap=,$(DOORS)) \
       -Wl,-z,max-page-size=4096 -T kernel/kernel.ld
$(KOUT)/kernel.elf: $(KOBJ) kernel/kernel.ld kernel/mksymbols.py
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(KLD) $(KOBJ) -o $@.1
	$(Q)$(CROSS)nm -n $@.1 | $(PYTHON) kernel/mksymbols.py $(if $(filter RACE KASAN,$(ON)),--data) > $(KOUT)/symbols_table.S
	$(Q)$(CC) $(KISA) -c $(KOUT)/symbols_table.S -o $(KOUT)/symbols_table.o
	$(Q)$(KLD) $(KOBJ) $(KOUT)/symbols_table.o -o $@
	$(Q)rm $@.1

-include $(KOBJ:.o=.d)

# ---- user land ----
include user/user.mk

# ---- unit tests on this machine ----
include kernel/test/host/host.mk
include kernel/test/weak/weak.mk

# ---- running ----
VARS := SMP=$(SMP) MEM=$(MEM) SEED=$(SEED) TIME=$(TIME) REFS=$(REFS) CHECK=$(CHECK) \
        TOOLS=$(subst $(empty) $(empty),$(comma),$(shell echo $(filter-out CHECK,$(ON)) | tr A-Z a-z)) \
        MUTANT=$(MUTANT) CPU=$(CPU) MACHINE=$(MACHINE)
QEMU_RUN = $(QEMU) -machine virt$(if $(MACHINE),$(comma)$(MACHINE)) $(if $(CPU),-cpu rv64$(comma)$(CPU)) \
           -bios default -nographic -smp $(SMP) -m $(MEM) -kernel $(KOUT)/kernel.elf \
           -initrd $(OUT)/initrd.cpio -append "seed=$(SEED)" \
           $(foreach d,$(DISK),-drive if=none,format=raw,id=$(notdir $(d)),file=$(d) \
               -device virtio-blk-device,drive=$(notdir $(d)),bus=virtio-mmio-bus.$(call BEFORE,$(d)))
# How many words of DISK come before this one: the slot in which it is found.
BEFORE = $(words $(shell echo '$(DISK)' | sed 's|$(1).*||'))
GDB_PORT ?= 26000
GDB_AT ?= localhost:$(GDB_PORT)
GDBFLAGS ?=

.PHONY: kernels watched check stress bench report doctor lint mutants
# What runs something first sees to what has to be there, and only then builds.
BUILD = +@$(MAKE) --no-print-directory
qemu: deps
	$(BUILD) all
	@echo "$(VARS)"
	@echo "Ctrl-A X quits QEMU, Ctrl-A C is its monitor, Ctrl-T shows the harts, exit powers off."
	$(QEMU_RUN)

qemu-gdb: deps
	$(BUILD) all
	@echo "$(VARS)"
	@echo "waiting for: make gdb (port $(GDB_PORT))"
	$(QEMU_RUN) -S -gdb tcp::$(GDB_PORT)

gdb:
	gdb-multiarch -iex "set auto-load no" -ex "set architecture riscv:rv64" \
	    -ex "target remote $(GDB_AT)" -ex "info threads" $(GDBFLAGS) $(KOUT)/kernel.elf

kernels: $(OUT)/initrd.cpio
	+@for refs in cas freelock biglock; do for check in 0 1; do \
	    $(MAKE) --no-print-directory REFS=$$refs CHECK=$$check kernel || exit 1; done; done

# With the tools that are not in CHECK: stress/check.py knows their folders.
watched: $(OUT)/initrd.cpio
	+@$(MAKE) --no-print-directory REFS=cas CHECK=0 KASAN=1 UBSAN=1 TRACK=1 kernel
	+@$(MAKE) --no-print-directory REFS=cas CHECK=0 GHOST=1 kernel
	+@for refs in cas freelock biglock; do \
	    $(MAKE) --no-print-directory REFS=$$refs CHECK=0 RACE=1 kernel || exit 1; done

check: deps
	$(BUILD) kernels watched
	@echo "# $(VARS) (each test has its own)"
	@$(PYTHON) stress/check.py

mutants: deps
	$(BUILD) $(OUT)/initrd.cpio
	@echo "# $(VARS) (each mutant has its own)"
	@$(PYTHON) stress/mutants.py

lint: kernel
	@$(PYTHON) stress/lint.py

stress: deps
	$(BUILD) kernels
	@echo "# $(VARS)"
	@$(PYTHON) stress/run.py --time $(TIME) --seed $(SEED) --smp $(SMP) --mem $(MEM) --refs $(REFS) \
	    $(if $(filter-out check,$(SUFFIX)),--tools $(SUFFIX)) $(CPU:%=--cpu %) $(MACHINE:%=--machine %)

bench: deps
	$(BUILD) kernels
	@echo "# $(VARS)"
	@$(PYTHON) bench/run.py --no-build --smp $(SMP) --mem $(MEM) --refs $(REFS)

# The main job: stress, then the benchmarks, then the page. Benchmarks take the last of a list of SMP or MEM.
GIVEN = $(findstring command,$(origin $(1)))$(findstring environment,$(origin $(1)))
LAST_OF = $(lastword $(subst $(comma), ,$($(1))))
LAST = $(if $(call GIVEN,$(1)),$(1)=$(call LAST_OF,$(1)))
report: deps
	$(BUILD) stress
	$(BUILD) bench $(call LAST,SMP) $(call LAST,MEM)
	@$(PYTHON) bench/report.py
	-@$(PYTHON) bench/idle.py --smp $(call LAST_OF,SMP) --seconds 10
	@echo "report: $(OUT)/report/index.html"

doctor:
	@echo "# $(VARS) (it boots a guest of its own)"
	@$(PYTHON) stress/doctor.py

# ---- what has to be there ----
PACKAGES := make gcc-riscv64-unknown-elf binutils-riscv64-unknown-elf picolibc-riscv64-unknown-elf \
            qemu-system-misc gdb-multiarch gcc libc6-dev python3 python3-pytest
include stress/model/model.mk
print-packages:
	@echo $(sort $(PACKAGES))

deps:
	@missing=""; for p in $(sort $(PACKAGES)); do \
	    dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q "ok installed" || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	echo "missing packages:$$missing"; \
	if ! command -v apt-get > /dev/null; then echo "install these (Debian's names), then go on"; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif command -v sudo > /dev/null; then sudo=sudo; \
	else echo "as root: apt-get install$$missing"; exit 1; fi; \
	$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -q -y --no-install-recommends $$missing

help:
	@echo "make report      the main job: stress on eight harts, benchmarks, out/report/index.html"
	@echo "make check       every test; ends with 'N passed, N failed'"
	@echo "make qemu        a shell on Kine      make qemu-gdb, make gdb   with the debugger"
	@echo "make stress      a seeded campaign    make bench                benchmarks only"
	@echo "make host-test   unit tests of mm and sync on this machine, with sanitizers (ONLY=word)"
	@echo "make doctor      is all there?        make lint, mutants, clean, deps"
	@echo "make weak        the kernel's lock-free code on this machine under weak memory (ONLY=play MUTANT=)"
	@echo "make model       models of the protocols and of weak memory (FULL=1: large bounds)"
	@echo "make kernels     those of every REFS, with and without CHECK      make watched   those of the tools"
	@echo "variables: $(VARS) V=$(V)"
	@echo "  REFS  cas | freelock | biglock: how frames are counted   CHECK=1  assertions, race points, lockdep"
	@echo "  TOOLS=race,ghost or RACE=1 GHOST=1: LOCKDEP GHOST RACE KASAN UBSAN TRACK SCHED, each =1 builds with that tool"
	@echo "  MUTANT=name  a bug switched on   SMP, MEM, REFS  of a campaign also lists (SMP=1,2,3,8 MEM=64M,1G)"
	@echo "           (docs/testing.md says which tool finds what, docs/mutants.md which bugs there are)"
	@echo "  GDB_PORT, GDB_AT, GDBFLAGS  the debugger's port, where it is seen from, and more options for it"
	@echo "  DISK  images for make qemu: /dev/vda, /dev/vdb, ... (truncate -s 16M a.img makes one)"
	@echo "  CPU, MACHINE  text behind QEMU's -cpu rv64, and -machine virt, (MACHINE=aclint=on)"

clean:
	rm -rf $(OUT)
