// SPDX-License-Identifier: MIT
// mutant_break.h - break_shared of fault.c with its steps left out or in a wrong order: each of these
// has been seen in some kernel (docs/mutants.md). Nothing in a normal build.
#if defined(MUTANT_W05) || defined(MUTANT_W11) || defined(MUTANT_W20) || defined(MUTANT_break_unfenced) || \
    defined(MUTANT_break_drop_early) || defined(MUTANT_make_early) || defined(MUTANT_mask_early) || \
    defined(MUTANT_M21) || defined(MUTANT_M22) || defined(MUTANT_M23) || defined(MUTANT_M29)
#define BREAK_IS_MUTANT

static noinline void break_shared(struct as *as, pte_t *e, u64 va, frame_t copy) {
    pte_t old = *e;
#ifdef MUTANT_mask_early  // who is to be told is asked before there is something to tell
    u64 others = tlb_others(as);
#endif
    RACE_POINT_FRAME("cow.break", frame_of_pte(old));
#ifdef MUTANT_W20  // fenced before the change instead of after it
    tlb_shootdown(as, va, 1);
#endif
#ifdef MUTANT_W11  // the old frame is let go before the entry is changed, and nothing is shot down
    pt_release(old);
#endif
#ifdef MUTANT_make_early  // no moment without a page
    ghost_change(e, atomic_store_release(e, pte_make(frame_pa(copy),
                                                     (old & PTE_FLAGS & ~(PTE_COW | PTE_BORROWED)) | PTE_W)));
#else
    ghost_change(e, atomic_swap_relaxed(e, 0ul));
#endif
#ifdef MUTANT_break_drop_early  // before the fence
    pt_release(old);
#endif
#if defined(MUTANT_W05)  // no fence when the kernel itself has written to the page
    if (!(csr_read(sstatus) & SSTATUS_SPP)) { tlb_shootdown(as, va, 1); }
#elif defined(MUTANT_mask_early)
    if (others) { tlb_shootdown(as, va, 1); }
#elif !defined(MUTANT_W11) && !defined(MUTANT_W20) && !defined(MUTANT_break_unfenced)
    tlb_shootdown(as, va, 1);
#endif
    (void)as, (void)va;
    ghost_change(e, atomic_store_release(e, pte_make(frame_pa(copy), (old & PTE_FLAGS & ~(PTE_COW | PTE_BORROWED)) |
                                                                         PTE_W)));
    RACE_POINT_FRAME("cow.drop", frame_of_pte(old));
#if defined(MUTANT_W05) || defined(MUTANT_W20) || defined(MUTANT_break_unfenced) || defined(MUTANT_make_early) || \
    defined(MUTANT_mask_early)
    pt_release(old);  // all others have let go of it, too early
#endif
    COUNT(cow_copies);
}
#endif
