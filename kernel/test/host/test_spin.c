// SPDX-License-Identifier: MIT
// test_spin.c - spinlocks: one holder at a time, what it wrote is seen by the next, records, order.
#include "dev/ipi.h"
#include "sync/spin.h"
#include "test/host/host.h"

static struct spin lock = SPIN_INIT(RUNQ);
static u64 inside, entered;

static void enter_often(void *arg) {
    (void)arg;
    for (u32 i = 0; i < 2000; i++) {
        spin_lock(&lock);
        EXPECT(++inside == 1 && spin_held_here(&lock));
        entered++;
        inside--;
        spin_unlock(&lock);
    }
}

TEST(one_holder_at_a_time) {
    entered = 0;
    on_harts(HARTS, enter_often, NULL);
    EXPECT(entered == HARTS * 2000 && !lock.word);
}

static void try_often(void *arg) {
    u64 *got = arg;
    for (u32 i = 0; i < 2000; i++) {
        if (spin_try_lock(&lock)) {
            EXPECT(++inside == 1);
            inside--;
            *got += 1;
            spin_unlock(&lock);
        }
    }
}

TEST(try_lock_gets_it_alone_or_not_at_all) {
    u64 got = 0;
    on_harts(HARTS, try_often, &got);
    EXPECT(got > 0 && got <= HARTS * 2000);
    spin_lock(&lock);
    EXPECT(!spin_try_lock(&lock));
    spin_unlock(&lock);
    EXPECT(spin_try_lock(&lock));
    spin_unlock(&lock);
}

TEST(a_hart_records_what_it_holds) {
    struct spin inner = SPIN_INIT(CONSOLE);
    struct hart *h = this_hart();
    spin_lock(&lock);
    spin_lock(&inner);
    EXPECT(h->nheld == 2 && h->held[0] == &lock && h->held[1] == &inner);
    EXPECT(lock.owner == h->index + 1);
    spin_unlock(&inner);
    spin_unlock(&lock);
    EXPECT(h->nheld == 0 && lock.owner == 0 && !spin_held_here(&lock));
}

TEST(irq_form_keeps_interrupts_out) {
    u64 before = interrupts_taken(0);
    u64 flags = spin_lock_irq(&lock);
    ipi_send(this_hart());
    cpu_pause();
    EXPECT(interrupts_taken(0) == before);
    spin_unlock_irq(&lock, flags);
    EXPECT(interrupts_taken(0) == before + 1);
}

TEST(irq_form_nests) {
    struct spin inner = SPIN_INIT(CONSOLE);
    u64 before = interrupts_taken(0);
    u64 outer_flags = spin_lock_irq(&lock), flags = spin_lock_irq(&inner);
    ipi_send(this_hart());
    spin_unlock_irq(&inner, flags);
    EXPECT(interrupts_taken(0) == before);
    spin_unlock_irq(&lock, outer_flags);
    EXPECT(interrupts_taken(0) == before + 1);
}

// Hart 1 waits for the lock that hart 0 holds until hart 1 has answered an interrupt.
static void answer_while_waiting(void *arg) {
    (void)arg;
    if (this_hart()->index == 0) {
        u64 before = interrupts_taken(1);
        spin_lock(&lock);
        rendezvous(2);
        ipi_send(harts[1]);
        while (interrupts_taken(1) == before) { cpu_pause(); }
        spin_unlock(&lock);
    } else {
        rendezvous(2);
        spin_lock(&lock);
        spin_unlock(&lock);
    }
}

TEST(who_waits_answers_interrupts) {
    on_harts(2, answer_while_waiting, NULL);
    EXPECT(!lock.word);
}
