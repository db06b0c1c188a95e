// SPDX-License-Identifier: MIT
// shootdown.pml - mailboxes, bells and acknowledgements between harts that shoot at each other, and the
// mask of those that are asked.
//
// Model      Harts 0 and 1 unmap pages of their own (0: ROUNDS of them, one after the other; 1: one) and
//            have them forgotten: 0's pages belong to the space, 1's to the space or to the kernel. Hart 2
//            joins and leaves the space meanwhile, MOVES times; whether it is in at first is open.
//            A hart looks entries up whenever it likes: held[h] is the set of pages it may have a
//            translation of; it looks up the space's only while its satp names the space (live[h]), under an ASID
//            that stays the space's, so it goes on holding them when it has left. known[h] is the generation in
//            that ASID's slot (kept for hart 2, who is the one to leave). ALONE: hart 1 unmaps nothing.
//            Interrupts come at any moment, except while a hart waits in shoot(); there it serves by
//            polling. (as_switch mostly runs with interrupts off; here it may be interrupted, too.)
// Invariants D1 when a shootdown has returned, no hart that is in the space holds the page, nor does one that comes
//               into it later; of the kernel's pages, no hart.
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
byte generation, known[HARTS];              // as->generation; slots
byte gone;                                  // pages of which a shootdown has returned
byte mask = BIT(0) | BIT(1) | BIT(2);       // as->harts
byte va[HARTS], change[HARTS], pending[HARTS], requests[HARTS];
bool bell[HARTS];                           // sip.SSIP
bool masked[HARTS];                         // interrupts off

#define SEEN(h) (live[h] -> mapped : mapped & ~user)
#define FLUSH(h) held[h] = (held[h] & ~user) | SEEN(h)   // the kernel's are global: they stay

inline acknowledge(i) { d_step { assert(pending[i] > 0); pending[i]-- } }        // D2
#ifdef MUTANT_ADVANCE_ANY
#define ADVANCE(h, g) if :: h == 2 && g > known[h] -> known[h] = g :: else fi
#else
#define ADVANCE(h, g) if :: h == 2 && g == known[h] + 1 -> known[h] = g :: else fi  // @ forget: slot->generation + 1 == s->generation
#endif
inline fence_page(h, i) {
    d_step { held[h] = (held[h] & ~va[i]) | SEEN(h); if :: change[i] -> ADVANCE(h, change[i]) :: else fi }
}

inline serve_one(h, i) {
    if
    :: from & (1 << i) ->
#ifdef MUTANT_ACK_EARLY
        acknowledge(i); fence_page(h, i)
#else
        fence_page(h, i);                   // @ tlb_serve: answer(&harts[i]->shoot)
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
    va[h] = page;                              // @ shoot: self->shoot = *what
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
inline raise(h) { d_step { generation++; change[h] = generation } }
inline shootdown(h, page) {
#ifdef MUTANT_MASK_READ_EARLY
    targets = mask; d_step { mapped = mapped & ~page } raise(h);
#elif defined(MUTANT_RAISED_EARLY)
    raise(h); d_step { mapped = mapped & ~page } targets = mask;
#elif defined(MUTANT_RAISED_LATE)
    d_step { mapped = mapped & ~page } targets = mask; raise(h);
#elif defined(MUTANT_NOT_RAISED)
    d_step { mapped = mapped & ~page } targets = mask;
#else
    d_step { mapped = mapped & ~page }
    raise(h);                                  // @ tlb_shootdown: atomic_add_release(&as->generation, 1ul)
    targets = mask;                            // @ tlb_shootdown: atomic_load_acquire(&as->harts)
#endif
#ifndef MUTANT_MASK_WITHOUT_SELF
    if :: targets & BIT(h) -> own_fence(h, page) :: else fi;  // @ tlb_shootdown: forget(&s)
#endif
    targets = targets & ~BIT(h);
    if :: targets -> shoot(h, page) :: else fi // @ tlb_shootdown: shoot(mask & ~self, &s)
}
inline shootdown_kernel(h, page) {
    d_step { mapped = mapped & ~page }
    own_fence(h, page);                        // @ tlb_shootdown_kernel: fence_range_kernel(va, pages)
    targets = 7 & ~BIT(h);                     // @ tlb_shootdown_kernel: harts_all() & ~(1ul << this_hart()->index)
    shoot(h, page)                             // @ tlb_shootdown_kernel: shoot(others
}

#define gone_is_held(h) (held[h] & gone & (live[h] -> ALL : ALL & ~user))
proctype hart(byte h) {
    byte round, from, targets;
    for (round : 0 .. (h == 0 -> ROUNDS - 1 : 0)) {
        if
        :: user & PAGE(h, round) -> shootdown(h, PAGE(h, round))
        :: else -> shootdown_kernel(h, PAGE(h, round))
        fi;
        d_step { gone = gone | PAGE(h, round); assert(!gone_is_held(0) && !gone_is_held(1) && !gone_is_held(2)) }  // D1
        targets = 0; change[h] = 0
    }
}

// ---- hart 2's as_switch ----

// D1, of who comes: what it holds is looked at as soon as it may use it.
inline in_satp(h) { d_step { live[h] = true; held[h] = held[h] | SEEN(h); assert(!gone_is_held(h)) } }
inline fence_anew(h) { d_step { FLUSH(h) } }
inline enter(h) {
#ifdef MUTANT_MASK_SET_LATE
    g = generation;
    if :: g == known[h] :: else -> fence_anew(h); known[h] = g fi;
    in_satp(h);
    mask = mask | BIT(h)
#elif defined(MUTANT_GENERATION_EARLY)
    g = generation;
    mask = mask | BIT(h);
    if :: g == known[h] :: else -> fence_anew(h); known[h] = g fi;
    in_satp(h)
#elif defined(MUTANT_GENERATION_LATE)
    mask = mask | BIT(h);
    if :: generation == known[h] :: else -> fence_anew(h) fi;
    in_satp(h);
    known[h] = generation
#else
    mask = mask | BIT(h);                      // @ enter: atomic_or_relaxed(&as->harts, 1ul << h->index)
    g = generation;                            // @ enter: atomic_load_acquire(&as->generation)
    if
    :: g == known[h]                           // @ asid_of: slot->generation == generation
    :: else ->
#ifndef MUTANT_ENTER_UNFENCED
        fence_anew(h);                         // @ fence_anew: sfence_space(asid)
#endif
        known[h] = g                           // @ fence_anew: h->asids[asid].generation = generation
    fi;
    in_satp(h)                                 // @ as_switch: csr_write(satp
#endif
}
inline leave(h) {
#ifdef MUTANT_MASK_CLEARED_EARLY
    mask = mask & ~BIT(h); live[h] = false
#else
    live[h] = false;                           // @ as_switch: csr_write(satp
    mask = mask & ~BIT(h)                      // @ as_switch: atomic_and_release(&old->harts, ~(1ul << h->index))
#endif
}
proctype mover() {
    byte moves, g;
    do
    :: moves < MOVES -> moves++; if :: live[2] -> leave(2) :: else -> enter(2) fi; g = 0
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
        if :: live[2] = false; mask = BIT(0) | BIT(1) :: skip fi;  // it may have been there
        if :: user = user & ~PAGE(1, 0); held[2] = held[2] | PAGE(1, 0) :: skip fi;
#ifndef ALONE
        run hart(1);
#endif
        run handler(0); run handler(1); run handler(2); run hart(0); run mover()
    }
}
