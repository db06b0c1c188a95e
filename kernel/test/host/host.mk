# SPDX-License-Identifier: MIT
# Unit tests of kernel/mm and kernel/sync on this machine: the kernel's own files over fake harts
# (host.h), for each REFS in three builds.
#   plain  as released           asan  checks, address and undefined behaviour      tsan  checks, races
HOST_CC ?= gcc
HOST_DIR := kernel/test/host
HOST_OUT := $(OUT)/host$(MUTANT:%=-%)
HOST_REFS := cas freelock biglock
HOST_BUILDS := plain asan tsan
HOST_NAMES := $(foreach r,$(HOST_REFS),$(HOST_BUILDS:%=$(r)-%))
HOST_BASE := -std=gnu11 -g -Wall -Wextra -Ikernel -pthread -fPIE -fno-tree-loop-distribute-patterns \
             $(MUTANT:%=-DMUTANT_%)
HOST_FLAGS_plain := -O2
HOST_FLAGS_asan := -O1 -DCHECK -fsanitize=address,undefined -fno-sanitize-recover=undefined
HOST_FLAGS_tsan := -O1 -DCHECK -fsanitize=thread -Wno-tsan
HOST_WRAP := $(foreach f,take take_zeroed give give_zeroed,-Wl,--wrap=freelist_$(f)) -Wl,--wrap=point_pass
HOST_KERNEL := $(filter-out kernel/mm/freelist_%.c kernel/sync/race%.c kernel/sync/kasan%.c kernel/sync/ubsan%.c kernel/sync/track%.c,$(wildcard kernel/mm/*.c kernel/sync/*.c)) \
               kernel/lib/string.c kernel/lib/print.c
HOST_TESTS := $(wildcard $(HOST_DIR)/*.c)

# $(1) = refs, $(2) = build
define host_build
HOST_OBJ_$(1)-$(2) := $$(patsubst kernel/%.c,$(HOST_OUT)/$(1)-$(2)/%.o,$(HOST_KERNEL) $(HOST_TESTS) \
    kernel/mm/freelist_$(if $(filter cas,$(1)),hart,global).c)
$(HOST_OUT)/$(1)-$(2)/%.o: kernel/%.c $(HOST_DIR)/host.mk
	@mkdir -p $$(@D)
	$(Q)$(HOST_CC) $(HOST_BASE) $(HOST_FLAGS_$(2)) -DREFS_$(shell echo $(1) | tr a-z A-Z) $$(HOST_OWN) -MMD -MP -c $$< -o $$@
$(HOST_OUT)/$(1)-$(2)/units: $$(HOST_OBJ_$(1)-$(2))
	$(if $(Q),@echo "  HOSTLD  $$@")
	$(Q)$(HOST_CC) -pthread -pie $(HOST_FLAGS_$(2)) $(HOST_WRAP) $$^ -o $$@
-include $$(HOST_OBJ_$(1)-$(2):.o=.d)
endef
$(foreach r,$(HOST_REFS),$(foreach b,$(HOST_BUILDS),$(eval $(call host_build,$(r),$(b)))))
# The kernel's own memcpy and memset keep out of the host's way.
$(HOST_OUT)/%/lib/string.o: HOST_OWN := -Dmemcpy=kernel_memcpy -Dmemset=kernel_memset

.PHONY: host-tests host-test
host-tests: $(HOST_NAMES:%=$(HOST_OUT)/%/units)

host-test: deps
	+@$(MAKE) --no-print-directory -j$$(nproc) host-tests
	@failed=0; for name in $(HOST_NAMES); do \
	    echo "# host: $$name"; $(HOST_OUT)/$$name/units $(SEED) $(ONLY) || failed=1; done; exit $$failed
