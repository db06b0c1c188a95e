// SPDX-License-Identifier: MIT
// exit.pml - a child's end, its parent's end, and who reaps whom.
//
// Model      Processes INIT, PARENT, CHILD. The child dies; the parent waits for it, or dies too (or
//            both); init waits for all that become its children. A dead thread is buried by the hart
//            that has left its stack.
// Invariants R1 a process is on exactly one list until it is reaped, once.
//            R2 nobody touches a process that has been freed.
//            R3 nobody waits for ever, and at the end init has reaped what was left.
#define THREADS 2   // sleepers: INIT and PARENT
#define QUEUES 2
#include "sleep.inc"
#define INIT 0
#define PARENT 1
#define CHILD 2

byte parent_of[3], children[3], zombies[3];  // lists, as sets of processes
bool locked[6], dead[3], freed[3];           // parent_lock and children_lock of each
#define OF_PARENT(p) (p)
#define OF_CHILDREN(p) (3 + p)

inline lock(l) { atomic { !locked[l] -> assert(!freed[(l) % 3]); locked[l] = true } }     // R2
inline unlock(l) { d_step { assert(!freed[(l) % 3] && locked[l]); locked[l] = false } }   // R2
#define ON(list, p, q) ((list[p] >> q) & 1)
inline unlist(p, q) {
    d_step {
        assert(ON(children, p, q) + ON(zombies, p, q) == 1);                              // R1
        children[p] = children[p] & ~(1 << q); zombies[p] = zombies[p] & ~(1 << q)
    }
}

inline bury(p) {
#ifdef MUTANT_BURY_WAKES_EARLY
    to = parent_of[p]; wake_all(to);
#endif
#ifndef MUTANT_BURY_UNLOCKED
    lock(OF_PARENT(p));                        // @ proc_bury: spin_lock(&p->parent_lock)
#endif
    to = parent_of[p];                         // @ proc_bury: p->parent
    lock(OF_CHILDREN(to));                     // @ proc_bury: spin_lock(&parent->children_lock)
    unlist(to, p);                             // @ proc_bury: list_del(&p->sibling)
#ifndef MUTANT_BURY_NOT_DEAD
    dead[p] = true;                            // @ proc_bury: p->zombie = true
#endif
    zombies[to] = zombies[to] | (1 << p);      // @ proc_bury: list_add_tail(&parent->zombies
#ifndef MUTANT_BURY_WAKES_EARLY
    wake_all(to);                              // @ proc_bury: waitq_wake_all(&parent->child_wait)
#endif
    unlock(OF_CHILDREN(to));                   // @ proc_bury: spin_unlock(&parent->children_lock)
#ifndef MUTANT_BURY_UNLOCKED
    unlock(OF_PARENT(p))                       // @ proc_bury: spin_unlock(&p->parent_lock)
#endif
}
inline give_to_init(self, p) {
#ifndef MUTANT_ORPHAN_UNLOCKED
    lock(OF_PARENT(p));                      // @ give_to_init: spin_lock_irq(&child->parent_lock)
#endif
    lock(OF_CHILDREN(self));                 // @ give_to_init: spin_lock(&self->children_lock)
    d_step { was_dead = dead[p] }              // @ give_to_init: child->zombie
    unlist(self, p);                           // @ give_to_init: list_del(&child->sibling)
    unlock(OF_CHILDREN(self));               // @ give_to_init: spin_unlock(&self->children_lock)
    parent_of[p] = INIT;                       // @ give_to_init: child->parent = init
    lock(OF_CHILDREN(INIT));                 // @ give_to_init: spin_lock(&init->children_lock)
    if                                         // @ give_to_init: dead ? &init->zombies : &init->children
    :: was_dead -> zombies[INIT] = zombies[INIT] | (1 << p)
    :: else -> children[INIT] = children[INIT] | (1 << p)
    fi;
    unlock(OF_CHILDREN(INIT));               // @ give_to_init: spin_unlock(&init->children_lock)
    if :: was_dead -> wake_all(INIT) :: else fi;  // @ give_to_init: waitq_wake_all(&init->child_wait)
#ifndef MUTANT_ORPHAN_UNLOCKED
    unlock(OF_PARENT(p));                    // @ give_to_init: spin_unlock_irq(&child->parent_lock
#endif
    was_dead = false
}
inline any_child(self) {
#ifdef MUTANT_ANY_UNLOCKED
    any = (children[self] | zombies[self]) != 0
#else
    lock(OF_CHILDREN(self));                   // @ any_child: spin_lock_irq(&self->children_lock)
    any = (children[self] | zombies[self]) != 0;
    unlock(OF_CHILDREN(self))                  // @ any_child: spin_unlock_irq(&self->children_lock
#endif
}

inline reap(self) {
    lock(OF_CHILDREN(self));                 // @ reap: spin_lock_irq(&self->children_lock)
    found = (ON(zombies, self, CHILD) -> CHILD : (ON(zombies, self, PARENT) -> PARENT : 0));
    if :: found -> unlist(self, found) :: else fi;  // @ reap: list_del(&found->sibling)
    any = children[self] != 0;                 // @ reap: find(&self->children, pid)
    unlock(OF_CHILDREN(self))                // @ reap: spin_unlock_irq(&self->children_lock
}
inline finish_reaping(p) {
#ifndef MUTANT_REAP_HURRIES
    lock(OF_PARENT(p)); unlock(OF_PARENT(p));  // @ finish_reaping: spin_lock_irq(&p->parent_lock)
#endif
    d_step { assert(!freed[p] && !locked[p] && !locked[3 + p] && !children[p] && !zombies[p]); freed[p] = true }  // @ finish_reaping: proc_free(p)
}
inline wait(self) {
    reap(self);                                // @ proc_wait: reap(self, pid, &any)
    if
    :: !found && any ->
        waitq_add(self, self);                 // @ proc_wait: waitq_add(&self->child_wait, &w)
        do
        :: reap(self);                         // @ proc_wait: reap(self, pid, &any)
            if :: found || !any -> break :: else -> park(self); waitq_add(self, self) fi  // @ proc_wait: park()
        od;
        waitq_del(self, self)                  // @ proc_wait: waitq_del(&self->child_wait, &w)
    :: else
    fi;
    if :: found -> finish_reaping(found) :: else fi  // @ proc_wait: finish_reaping(p, status)
}

#define LOCALS byte to, w, found; bool any, was_dead; mtype s
proctype child() { LOCALS; bury(CHILD) }
proctype parent() {
    LOCALS;
    if :: wait(PARENT) :: skip fi;
    found = 0;
    do
    :: any_child(PARENT);                      // @ end_thread: any_child(p)
        if :: any -> give_to_init(PARENT, CHILD) :: else -> break fi  // @ end_thread: give_to_init(p, child)
    od;
    gone[PARENT] = true;
    bury(PARENT)
}
proctype init_process() {
    LOCALS;
    do
    :: wait(INIT); if :: !found && !any -> break :: else fi
    od
}
init {
    d_step {
        children[INIT] = 1 << PARENT; parent_of[PARENT] = INIT;
        children[PARENT] = 1 << CHILD; parent_of[CHILD] = PARENT
    }
    atomic { run finisher(INIT); run finisher(PARENT); run init_process(); run parent(); run child() }
    _nr_pr == 3;
    assert(freed[PARENT] && freed[CHILD])                                                 // R3
}
