# SPDX-License-Identifier: MIT
# user.mk - user programs and the initramfs. Included by the top Makefile; also works alone:
#     make -f user/user.mk
#
# Each .c in user/{bin,stress,bench,tests} is one program named by its stem; a folder there with .c
# files is one program named by the folder. Programs of user/tests land in /tests, others in /bin.

CROSS ?= riscv64-unknown-elf-
OUT ?= out
V ?= 0
PYTHON ?= python3

user_q := $(if $(filter 1,$(V)),,@)
user_out := $(OUT)/user
initrd := $(OUT)/initrd.cpio

ifeq ($(.DEFAULT_GOAL),)
.DEFAULT_GOAL := user-all
endif
.PHONY: user-all user-clean
user-all: $(initrd)

# Compile for the full ISA; link without the z-extensions, otherwise GCC picks a library for another
# ABI. `-I user/lib/include` comes first, so that headers there replace picolibc's.
USER_CFLAGS := -march=rv64imafdc_zicsr_zifencei -mabi=lp64d -mcmodel=medany -std=gnu11 -O2 -g \
    --specs=picolibc.specs -ftls-model=local-exec -ffunction-sections -fdata-sections -fno-common \
    -Wall -Wextra -iquote . -Iuser/lib/include -Iuser/lib
USER_LDFLAGS := -march=rv64imafdc -mabi=lp64d --specs=picolibc.specs -nostartfiles -static \
    -Tuser/lib/user.ld -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,--no-warn-rwx-segments

user_lib_objs := $(patsubst user/lib/%.c,$(user_out)/lib/%.o,$(sort $(wildcard user/lib/*.c)))
user_programs :=
user_packed :=

# $(call user_program,<kind>,<name>,<sources>,<folder in the archive>)
define user_program
user_programs += $(user_out)/$(1)/$(2).elf
user_packed += $(4)/$(2)=$(user_out)/$(1)/$(2).stripped
$(user_out)/$(1)/$(2).elf: $(patsubst user/%.c,$(user_out)/%.o,$(3)) $(user_lib_objs) user/lib/user.ld
	@echo "  LD  $$@"
	$$(user_q)$$(CROSS)gcc $$(USER_LDFLAGS) -o $$@ $$(filter %.o,$$^)
endef

user_install = $(if $(filter tests,$(1)),tests,bin)
user_folders = $(sort $(patsubst %/,%,$(dir $(wildcard user/$(1)/*/*.c))))

$(foreach kind,bin stress bench tests,\
    $(foreach src,$(sort $(wildcard user/$(kind)/*.c)),\
        $(eval $(call user_program,$(kind),$(basename $(notdir $(src))),$(src),$(call \
            user_install,$(kind)))))\
    $(foreach dir,$(call user_folders,$(kind)),\
        $(eval $(call user_program,$(kind),$(notdir $(dir)),$(sort $(wildcard $(dir)/*.c)),$(call \
            user_install,$(kind))))))

$(user_out)/%.o: user/%.c user/user.mk
	@mkdir -p $(@D)
	@echo "  CC  $<"
	$(user_q)$(CROSS)gcc $(USER_CFLAGS) -MMD -MP -c -o $@ $<

%.stripped: %.elf
	$(user_q)$(CROSS)strip -s -o $@ $<

# The archive depends on the list of its members too, so that a deleted program leaves it.
user_members := $(OUT)/user/members
$(user_members): FORCE
	@mkdir -p $(@D)
	@echo '$(user_packed)' | cmp -s - $@ || echo '$(user_packed)' > $@
.PHONY: FORCE
FORCE:

# Broken and odd ELF files for user/tests/badelf.c.
user_elves := $(OUT)/user/elves
$(user_elves)/.made: user/tests/mkelf.py
	@mkdir -p $(@D)
	$(user_q)$(PYTHON) user/tests/mkelf.py $(@D) > /dev/null
	@touch $@

user_texts := user/etc/motd user/tests/example.sh
user_files := $(foreach text,$(user_texts),$(patsubst user/%,%,$(text))=$(text))
$(initrd): $(user_programs:.elf=.stripped) $(user_members) $(user_texts) user/mkinitrd.py $(user_elves)/.made
	@echo "  CPIO $@"
	$(user_q)$(PYTHON) user/mkinitrd.py $@ $(user_packed) $(user_files) \
	    $$(cd $(user_elves) && ls | sed 's|.*|tests/elf/&=$(user_elves)/&|')

user-clean:
	rm -rf $(user_out) $(initrd)

.SECONDARY:
-include $(shell find $(user_out) -name '*.d' 2>/dev/null)
