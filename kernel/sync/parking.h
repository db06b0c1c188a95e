// SPDX-License-Identifier: MIT
// parking.h - a parking lot: threads that sleep on a word of memory, for locks that have no room for a queue.
//
// Model      buckets of sleepers by the word's address (Pizlo, "Locking in WebKit"). A sleeper queues
//            under its bucket's lock and looks at the word then, a waker changes it first and takes that lock
//            then, so nothing is missed. Nothing is kept of a word that nobody sleeps on.
#pragma once
#include "lib/types.h"

void parking_boot(void);
// Sleep if *word == value, until woken; perhaps without need. => no spinlock held; not ended by a kill
void parking_sleep(const u32 *word, u32 value);
void parking_wake_all(const u32 *word);  // => *word has been changed
