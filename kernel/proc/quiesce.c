// SPDX-License-Identifier: MIT
// quiesce.c - all other harts stand still while one looks at everything.
//
// Model      One hart asks and rings; each other hart says, on its way back to user mode or in its idle
//            loop, that it stands, and sleeps until it may go on. None of them is in the middle of
//            anything then: no spinlock is held, no count is being changed. Threads may be parked
//            anywhere, with mutexes held.
// Ordering   Z1 what a hart did comes before its addition to `standing` (release), which the asker
//            acquires; what the asker does comes before asked = 0 (release), which the hart acquires.
#include "proc/quiesce.h"
#include "dev/ipi.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "sync/atomic.h"
#include "sync/lockdep.h"

static u32 asked;     // (a) 1: harts are asked to stand still
static u32 standing;  // (a) how many do

bool quiesce_asked(void) { return atomic_load_relaxed(&asked); }

void quiesce_stand(void) {
#ifdef MUTANT_stand_relaxed  // "only a number"
    atomic_add_relaxed(&standing, 1u);
#else
    atomic_add_release(&standing, 1u);  // all that we did comes before what is done meanwhile
#endif
    while (atomic_load_acquire(&asked)) {
        u64 flags = irq_save();
        if (atomic_load_acquire(&asked)) { wait_for_interrupt(); }
        irq_restore(flags | SSTATUS_SIE);
    }
    atomic_sub_release(&standing, 1u);
}

void quiesce_run(void (*fn)(void *), void *arg) {
    lockdep_ipi_wait();
    atomic_store_relaxed(&asked, 1u);
    atomic_fence_full();
    ipi_send_others();
    while (atomic_load_acquire(&standing) != nharts - 1) { cpu_pause(); }  // pairs with quiesce_stand
    fn(arg);
#ifdef MUTANT_resume_relaxed  // "who only looks has nothing to publish"
    atomic_store_relaxed(&asked, 0u);
#else
    atomic_store_release(&asked, 0u);
#endif
    ipi_send_others();
    while (atomic_load_acquire(&standing)) { cpu_pause(); }
}
