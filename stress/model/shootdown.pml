// SPDX-License-Identifier: MIT
// shootdown.pml - mailboxes, bells and acknowledgements between harts that shoot at each other.
//
// Model      Harts 0 and 1 unmap pages of their own (0: ROUNDS of them, one after the other; 1: one), and
//            have all three harts forget each (tlb_shootdown_kernel). A hart looks entries up whenever it
//            likes: held[h] is the set of pages it may have a translation of. Interrupts come at any
//            moment, except while a hart waits in shoot(); there it serves by polling.
// Invariants D1 when a shootdown has returned, no hart holds the page.
//            D2 no acknowledgement is counted that was not asked for.
//            D3 nobody waits for ever (SPIN: no invalid end state).
#define HARTS 3
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define PAGE(h, round) (1 << ((h) * ROUNDS + (round)))

byte mapped = (1 << (2 * ROUNDS)) - 1;  // pages with a valid entry
byte held[HARTS] = (1 << (2 * ROUNDS)) - 1;
byte va[HARTS], pending[HARTS], requests[HARTS];
bool bell[HARTS];                           // sip.SSIP
bool masked[HARTS];                         // interrupts off

inline acknowledge(i) { d_step { assert(pending[i] > 0); pending[i]-- } }        // D2
inline fence_page(h, i) { d_step { held[h] = (held[h] & ~va[i]) | mapped } }

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

inline ask(h, t) {
    if
    :: h != t ->
        requests[t] = requests[t] | (1 << h);  // @ shoot: atomic_or_release(&harts[i]->tlb_requests
#ifndef MUTANT_NO_BELL
        bell[t] = true                         // @ shoot: ipi_send(harts[i])
#endif
    :: else
    fi
}
inline shoot(h, page) {
    masked[h] = true;                          // @ shoot: irq_save()
#ifdef MUTANT_REQUEST_LATE
    pending[h] = HARTS - 1; ask(h, 0); ask(h, 1); ask(h, 2); va[h] = page;
#elif defined(MUTANT_PENDING_LATE)
    va[h] = page; ask(h, 0); ask(h, 1); ask(h, 2); pending[h] = HARTS - 1;
#else
    va[h] = page;                              // @ shoot: self->shoot_va = va
    pending[h] = HARTS - 1;                    // @ shoot: atomic_store_relaxed(&self->shoot_pending
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

proctype hart(byte h) {
    byte round, from;
    for (round : 0 .. (h == 0 -> ROUNDS - 1 : 0)) {
        d_step { mapped = mapped & ~PAGE(h, round) }
        d_step { held[h] = held[h] & ~PAGE(h, round) }  // @ tlb_shootdown_kernel: fence_range(va, pages)
        shoot(h, PAGE(h, round));                       // @ tlb_shootdown_kernel: shoot(others
        assert(!((held[0] | held[1] | held[2]) & PAGE(h, round)))                         // D1
    }
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
    atomic { run handler(0); run handler(1); run handler(2); run hart(0); run hart(1) }
}
