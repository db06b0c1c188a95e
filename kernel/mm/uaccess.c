// SPDX-License-Identifier: MIT
// uaccess.c - range checks around riscv/uaccess.S.
#include "mm/uaccess.h"
#include "config.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "sync/lockdep.h"
#include "sync/point.h"

int uaccess_copy(void *d, const void *s, usize n);
int uaccess_peek(u32 *d, uaddr s);
extern char uaccess_peek_begin[], uaccess_peek_end[];
extern char uaccess_begin[], uaccess_end[], uaccess_failed[];

static bool user_range(uaddr a, usize n) { return a < USER_TOP && n <= USER_TOP - a; }

int copy_in(void *d, uaddr s, usize n) {
    lockdep_sleep(RANK_AS);
    return user_range(s, n) ? uaccess_copy(d, (void *)s, n) : -EFAULT;
}

#ifdef MUTANT_copy_resolved  // looked up under the space's lock, written when that is gone
#include "mm/as.h"
#include "riscv/hart.h"

static int copy_resolved(uaddr d, const char *s, usize n) {
    struct as *as = this_hart()->active_as;
    for (usize done = 0, step; done < n; done += step) {
        step = MIN(n - done, PAGE_SIZE - (d + done) % PAGE_SIZE);
        int error = as_fault(as, d + done, ACCESS_WRITE);
        void *page = error ? NULL : as_populate(as, d + done);
        if (!page) { return error ? error : -EFAULT; }
        RACE_POINT("uaccess.copy");
        memcpy(page, s + done, step);
    }
    return 0;
}
#endif

int copy_out(uaddr d, const void *s, usize n) {
    lockdep_sleep(RANK_AS);
#ifdef MUTANT_copy_resolved
    return user_range(d, n) ? copy_resolved(d, s, n) : -EFAULT;
#endif
    RACE_POINT("uaccess.copy");
    return user_range(d, n) ? uaccess_copy((void *)d, s, n) : -EFAULT;
}

int zero_out(uaddr d, usize n) {
    static const char zeros[512];
    int error = 0;
    for (usize done = 0; done < n && !error; done += MIN(n - done, sizeof(zeros))) {
        error = copy_out(d + done, zeros, MIN(n - done, sizeof(zeros)));
    }
    return error;
}

long copy_in_string(char *d, uaddr s, usize n) {
    for (usize done = 0; done < n;) {
        usize step = MIN(n - done, 64 - (s + done) % 64);  // not over the end of a page
        int error = copy_in(d + done, s + done, step);
        if (error) { return error; }
        usize len = strnlen(d + done, step);
        if (len < step) { return done + len; }
        done += step;
    }
    return -ENAMETOOLONG;
}

int peek_in(u32 *d, uaddr s) {
    return user_range(s, sizeof(*d)) && !(s % sizeof(*d)) ? uaccess_peek(d, s) : -EFAULT;
}

bool uaccess_is_peek(u64 pc) { return pc >= (u64)uaccess_peek_begin && pc < (u64)uaccess_peek_end; }

u64 uaccess_fixup(u64 pc) {
    bool ours = (pc >= (u64)uaccess_begin && pc < (u64)uaccess_end) || uaccess_is_peek(pc);
    return ours ? (u64)uaccess_failed : 0;
}
