# SPDX-License-Identifier: MIT
# The kernel's lock-free code on this machine under weak memory: kernel/test/weak/weak.h. REFS=cas only.
# The code under test and the plays are compiled with calls for each access, which hooks.c answers; nothing
# of the compiler's own runtime is linked.
WEAK_DIR := kernel/test/weak
WEAK_OUT := $(OUT)/weak$(MUTANT:%=-%)
WEAK_SEEN := kernel/mm/frame.c kernel/mm/freelist_hart.c kernel/mm/tlb.c kernel/mm/as.c kernel/mm/asid.c \
             kernel/sync/mutex.c kernel/sync/spin.c kernel/sync/waitq.c $(wildcard $(WEAK_DIR)/play_*.c)
WEAK_REST := $(addprefix $(WEAK_DIR)/,memory.c search.c hooks.c machine.c plays.c absent.c)
WEAK_FLAGS := -std=gnu11 -g -O1 -Wall -Wextra -Ikernel -DWEAK -DREFS_CAS $(MUTANT:%=-DMUTANT_%) -fno-pie
WEAK_OBJ := $(patsubst kernel/%.c,$(WEAK_OUT)/%.o,$(WEAK_SEEN) $(WEAK_REST))

$(patsubst kernel/%.c,$(WEAK_OUT)/%.o,$(WEAK_SEEN)): WEAK_HOW := -fsanitize=thread -Wno-tsan
$(WEAK_OUT)/%.o: kernel/%.c $(WEAK_DIR)/weak.mk
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(WEAK_FLAGS) $(WEAK_HOW) -MMD -MP -c $< -o $@
$(WEAK_OUT)/weak: $(WEAK_OBJ)
	$(if $(Q),@echo "  HOSTLD  $@")
	$(Q)$(HOST_CC) -no-pie $^ -o $@
-include $(WEAK_OBJ:.o=.d)

.PHONY: weak-build weak
weak-build: $(WEAK_OUT)/weak
weak: deps
	+@$(MAKE) --no-print-directory -j$$(nproc) weak-build
	@$(WEAK_OUT)/weak $(ONLY)
