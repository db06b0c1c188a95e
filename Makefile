# SPDX-License-Identifier: MIT
# Kine: `make help` says what there is to do.
SMP ?= 8
MEM ?= 1G
SEED ?= 1
TIME ?= 60
REFS ?= cas
CHECK ?= 0
CPU ?=
MACHINE ?=
V ?= 0

CROSS ?= riscv64-unknown-elf-
CC := $(CROSS)gcc
QEMU ?= qemu-system-riscv64
PYTHON := $(if $(wildcard /usr/bin/python3),/usr/bin/python3,python3)
OUT := out
KOUT := $(OUT)/$(REFS)$(if $(filter 1,$(CHECK)),-check)
Q := $(if $(filter 1,$(V)),,@)

.DEFAULT_GOAL := all
.PHONY: all kernel qemu qemu-gdb gdb help clean deps
all: kernel $(OUT)/initrd.cpio

# ---- kernel ----
KSRC := $(filter-out kernel/mm/freelist_%.c,$(wildcard kernel/*.c kernel/*/*.c)) \
        kernel/mm/freelist_$(if $(filter cas,$(REFS)),hart,global).c
KASM := $(wildcard kernel/riscv/*.S)
KOBJ := $(KSRC:kernel/%.c=$(KOUT)/%.o) $(KASM:kernel/%.S=$(KOUT)/%.S.o)
KISA := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany
KFLAGS := $(KISA) -std=gnu11 -O2 -g -ffreestanding -fno-omit-frame-pointer -fno-common -fno-pic \
          -fno-tree-loop-distribute-patterns -fno-stack-protector -msmall-data-limit=0 -Ikernel \
          -Wall -Wextra -Wmissing-prototypes -Wno-missing-prototypes \
          -DREFS_$(shell echo $(REFS) | tr a-z A-Z) -DVERSION='"0.1"' \
          $(if $(filter 1,$(CHECK)),-DCHECK -DCHECK_NAME='" check"',-DCHECK_NAME='""')

kernel: $(KOUT)/kernel.elf

$(KOUT)/%.o: kernel/%.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC  $<")
	$(Q)$(CC) $(KFLAGS) -MMD -c $< -o $@

$(KOUT)/%.S.o: kernel/%.S Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo "  AS  $<")
	$(Q)$(CC) $(KFLAGS) -D__ASSEMBLER__ -MMD -c $< -o $@

# Linked twice: the second time with the names of what the first one placed.
KLD := $(CC) -march=rv64imac -mabi=lp64 -nostdlib -static -Wl,--no-relax,--no-warn-rwx-segments \
       -Wl,-z,max-page-size=4096 -T kernel/kernel.ld
$(KOUT)/kernel.elf: $(KOBJ) kernel/kernel.ld kernel/mksymbols.py
	$(if $(Q),@echo "  LD  $@")
	$(Q)$(KLD) $(KOBJ) -o $@.1
	$(Q)$(CROSS)nm -n $@.1 | $(PYTHON) kernel/mksymbols.py > $(KOUT)/symbols_table.S
	$(Q)$(CC) $(KISA) -c $(KOUT)/symbols_table.S -o $(KOUT)/symbols_table.o
	$(Q)$(KLD) $(KOBJ) $(KOUT)/symbols_table.o -o $@
	$(Q)rm $@.1

-include $(KOBJ:.o=.d)

# ---- user land ----
include user/user.mk

# ---- running ----
QEMU_RUN = $(QEMU) -machine virt$(if $(MACHINE),$(comma)$(MACHINE)) $(if $(CPU),-cpu rv64$(comma)$(CPU)) \
           -bios default -nographic -smp $(SMP) -m $(MEM) -kernel $(KOUT)/kernel.elf \
           -initrd $(OUT)/initrd.cpio -append "seed=$(SEED)"
comma := ,

qemu: all
	@echo "Ctrl-A X quits QEMU, Ctrl-A C is its monitor, Ctrl-T shows the harts."
	$(QEMU_RUN)

clean:
	rm -rf $(OUT)
