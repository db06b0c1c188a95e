// SPDX-License-Identifier: MIT
// shootdown.pml - mailboxes, bells and acknowledgements between harts that shoot at each other, and the
// mask of those that are asked.
//
// Model      Harts 0 and 1 unmap pages of their own (0: ROUNDS of them, one after the other; 1: one) and
//            have them forgotten: 0's pages belong to the space, 1's to the space or to the kernel. Hart 2
//            joins and leaves the space meanwhile, MOVES times; whether it is in at first is open.
//            A hart looks entries up whenever it likes: held[h] is the set of pages it may have a
//            translation of; of the space's, only while its satp names the space (live[h]).
//            Interrupts come at any moment, except while a hart waits in shoot(); there it serves by
//            polling. (as_switch mostly runs with interrupts off; here it may be interrupted, too.)
// Invariants D1 when a shootdown has returned, no hart holds the page.
//            D2 no acknowledgement is counted that was not asked for.
//            D3 nobody waits for ever (SPIN: no invalid end state).
#define HARTS 3
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef MOVES
#define MOVES 1
#endif
#define BIT(h) (1 << (h))
#define PAGE(h, round) (1 << ((h) * ROUNDS + (round)))
#define ALL ((1 << (2 * ROUNDS)) - 1)

byte mapped = ALL;                          // pages with a valid entry
byte user = ALL;                            // pages of the space; the others are the kernel's
byte held[HARTS] = ALL;
bool live[HARTS] = true;                    // satp names the space
byte mask = BIT(0) | BIT(1) | BIT(2);       // as->harts
byte va[HARTS], pending[HARTS], requests[HARTS];
bool bell[HARTS];                           // sip.SSIP
bool masked[HARTS];                         // interrupts off

#define SEEN(h) (live[h] -> mapped : mapped & ~user)
#define FLUSH(h) held[h] = (held[h] & ~user) | SEEN(h)   // the kernel's are global: they stay

inline acknowledge(i) { d_step { assert(pending[i] > 0); pending[i]-- } }        // D2
inline fence_page(h, i) { d_step { held[h] = (held[h] & ~va[i]) | SEEN(h) } }

inline serve_one(h, i) {
    if
    :: from & (1 << i) ->
#ifdef MUTANT_ACK_EARLY
        acknowledge(i); fence_page(h, i)
#else
        fence_page(h, i);                   // @ tlb_serve: fence_range(harts[i]->shoot_va
        acknowledge(i)                      // @ tlb_serve: atomic_sub_release(&harts[i]->shoot_pending
#endif
    :: else
    fi
}
inline serve(h) {
#ifdef MUTANT_TAKE_TORN
    from = requests[h]; requests[h] = 0;
#else
    d_step { from = requests[h]; requests[h] = 0 }  // @ tlb_serve: atomic_swap_acquire(&self->tlb_requests, 0ul)
#endif
    serve_one(h, 0); serve_one(h, 1);
    from = 0
}

#define COUNT(set) (((set) & 1) + (((set) >> 1) & 1) + ((set) >> 2))
inline ask(h, t) {
    if
    :: targets & BIT(t) ->
        requests[t] = requests[t] | (1 << h);  // @ shoot: atomic_or_release(&harts[i]->tlb_requests
#ifndef MUTANT_NO_BELL
        bell[t] = true                         // @ shoot: ipi_send(harts[i])
#endif
    :: else
    fi
}
inline shoot(h, page) {  // of targets
    masked[h] = true;                          // @ shoot: irq_save()
#ifdef MUTANT_REQUEST_LATE
    pending[h] = COUNT(targets); ask(h, 0); ask(h, 1); ask(h, 2); va[h] = page;
#elif defined(MUTANT_PENDING_LATE)
    va[h] = page; ask(h, 0); ask(h, 1); ask(h, 2); pending[h] = COUNT(targets);
#else
    va[h] = page;                              // @ shoot: self->shoot_va = va
    pending[h] = COUNT(targets);                    // @ shoot: atomic_store_relaxed(&self->shoot_pending
    ask(h, 0); ask(h, 1); ask(h, 2);
#endif
#ifndef MUTANT_NO_WAIT
    do
    :: pending[h] == 0 -> break                // @ shoot: atomic_load_acquire(&self->shoot_pending)
#ifndef MUTANT_NO_POLL
    :: pending[h] != 0 && requests[h] != 0 -> serve(h)  // @ shoot: tlb_serve()
#endif
    od;
#endif
    masked[h] = false                          // @ shoot: irq_restore(flags)
}

// The shooter's own translations go first.
inline own_fence(h, page) { d_step { held[h] = held[h] & ~page } }
inline shootdown(h, page) {
#ifdef MUTANT_MASK_READ_EARLY
    targets = mask; d_step { mapped = mapped & ~page }
#else
    d_step { mapped = mapped & ~page }
    targets = mask;                            // @ tlb_shootdown: atomic_load_acquire(&as->harts)
#endif
#ifndef MUTANT_MASK_WITHOUT_SELF
    if :: targets & BIT(h) -> own_fence(h, page) :: else fi;  // @ tlb_shootdown: if (mask & self) { fence_range(va, pages); }
#endif
    targets = targets & ~BIT(h);
    if :: targets -> shoot(h, page) :: else fi // @ tlb_shootdown: shoot(mask & ~self, va, pages)
}
inline shootdown_kernel(h, page) {
    d_step { mapped = mapped & ~page }
    own_fence(h, page);                        // @ tlb_shootdown_kernel: fence_range(va, pages)
    targets = 7 & ~BIT(h);                     // @ tlb_shootdown_kernel: harts_all() & ~(1ul << this_hart()->index)
    shoot(h, page)                             // @ tlb_shootdown_kernel: shoot(others
}

proctype hart(byte h) {
    byte round, from, targets;
    for (round : 0 .. (h == 0 -> ROUNDS - 1 : 0)) {
        if
        :: user & PAGE(h, round) -> shootdown(h, PAGE(h, round))
        :: else -> shootdown_kernel(h, PAGE(h, round))
        fi;
        assert(!((held[0] | held[1] | held[2]) & PAGE(h, round)));                        // D1
        targets = 0
    }
}

// ---- hart 2's as_switch ----

inline enter(h) {
#ifdef MUTANT_MASK_SET_LATE
    d_step { live[h] = true; held[h] = held[h] | SEEN(h) } mask = mask | BIT(h)
#else
    mask = mask | BIT(h);                      // @ as_switch: atomic_or_relaxed(&as->harts, bit)
    d_step { live[h] = true; held[h] = held[h] | SEEN(h) }  // @ as_switch: csr_write(satp
#endif
}
inline leave(h) {
#ifdef MUTANT_MASK_CLEARED_EARLY
    live[h] = false; mask = mask & ~BIT(h); d_step { FLUSH(h) }
#else
    live[h] = false;                           // @ as_switch: csr_write(satp
#ifndef MUTANT_LEAVE_UNFENCED
    d_step { FLUSH(h) }                        // @ as_switch: sfence_space()
#endif
    mask = mask & ~BIT(h)                      // @ as_switch: atomic_and_release(&old->harts, ~bit)
#endif
}
proctype mover() {
    byte moves;
    do
    :: moves < MOVES -> moves++; if :: live[2] -> leave(2) :: else -> enter(2) fi
    :: moves == MOVES -> break
    od
}
// The interrupt handler of a hart: trap.c.
proctype handler(byte h) {
    byte from;
end:do
    :: atomic { bell[h] && !masked[h] -> masked[h] = true }
#ifdef MUTANT_BELL_CLEARED_LATE
        serve(h); bell[h] = false;
#else
        bell[h] = false;                       // @ interrupt: ipi_clear()
        serve(h);                              // @ interrupt: tlb_serve()
#endif
        masked[h] = false
    od
}
init {
    atomic {
        if :: live[2] = false; mask = BIT(0) | BIT(1); held[2] = 0 :: skip fi;
        if :: user = user & ~PAGE(1, 0); held[2] = held[2] | PAGE(1, 0) :: skip fi;
        run handler(0); run handler(1); run handler(2); run hart(0); run hart(1); run mover()
    }
}
