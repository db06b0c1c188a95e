// SPDX-License-Identifier: MIT
// futex.h - sleeping on a word of user memory until somebody says that it has changed (futex(2)).
// => all of it: the caller's space is active, no lock held
#pragma once
#include "lib/types.h"

#define FUTEX_ANY (~0u)       // all bits of a bit set
#define FUTEX_NEVER (~0ul)    // a deadline

void futex_boot(void);
// A word of shared memory is the same wherever it is mapped, unless it is called `private`.
// Sleep if *word is still `value`, until a wake-up with a common bit, or time_now() is `deadline`. 0, -EAGAIN:
// it is another, -ETIMEDOUT, -EINTR: killed, -EFAULT, -EINVAL.
long futex_wait(uaddr word, bool private, u32 value, u64 deadline, u32 bits);
// Wake up to n that wait with a common bit. How many, or -EINVAL, -EFAULT.
long futex_wake(uaddr word, bool private, u32 n, u32 bits);
// Wake up to `wake`, and move up to `move` more to another word, if (expected is not NULL) *from is still that.
// -EINVAL, too: from shared memory to what is private: others than us may sleep there.
long futex_requeue(uaddr from, bool private, u32 wake, u32 move, uaddr to, const u32 *expected);
