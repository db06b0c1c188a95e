// SPDX-License-Identifier: MIT
// sys_proc.c - processes, scheduling and time. Semantics as the Linux manual pages have them.
#include "dev/console.h"
#include "dev/fdt.h"
#include "dev/power.h"
#include "dev/timer.h"
#include "lib/errno.h"
#include "mm/freelist.h"
#include "mm/uaccess.h"
#include "proc/futex.h"
#include "proc/proc.h"
#include "proc/sched.h"
#include "syscall/syscall.h"

enum { SIGCHLD = 17, SIGCONT = 18, SIGURG = 23, SIGWINCH = 28, SIGNAL_MAX = 64 };
#define WAIT_OPTIONS 0xe000000b  // WNOHANG; WUNTRACED, WCONTINUED, __WNOTHREAD, __WALL, __WCLONE: as without

struct timespec {
    i64 sec, nsec;
};

long sys_clone(usize flags, uaddr stack, uaddr ptid, usize tls, uaddr ctid) {
#ifdef MUTANT_fork_refused  // to all but init: nothing is lost by it
    if (proc_self()->id.number != 1) { return -ENOMEM; }
#endif
    return proc_clone(&(struct clone){flags, stack, ptid, ctid, tls});
}

long sys_execve(uaddr path, uaddr argv, uaddr envp) {
    long error = proc_exec(path, argv, envp);
    if (!error) { thread_trapframe(thread_self())->sepc -= 4; }  // the way out of a call adds that
    return error;
}

long sys_exit(int status) { thread_exit((status & 0xff) << 8); }

long sys_exit_group(int status) { proc_exit((status & 0xff) << 8); }

long sys_wait4(int pid, uaddr status, int options, uaddr rusage) {
    if (options & ~WAIT_OPTIONS) { return -EINVAL; }
    if (pid < -1) { return -ECHILD; }  // all processes are one group
    long reaped = proc_wait(pid, status, options);
    return reaped > 0 && rusage && zero_out(rusage, 144) ? -EFAULT : reaped;
}

struct message {
    int signal;
    struct proc *but;
};

static void kill_one(struct proc *p, void *message) {
    struct message *m = message;
    if (p != proc_init_process && p != m->but && m->signal) { proc_kill(p, m->signal); }
}

static bool ignored(int signal) {
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH;
}

// There are no handlers yet: a signal ends the process or is ignored. init is immune.
long sys_kill(int pid, int signal) {
    if (signal < 0 || signal > SIGNAL_MAX) { return -EINVAL; }
    struct message m = {ignored(signal) ? 0 : signal, pid < 0 ? proc_self() : NULL};
    if (pid != 0 && pid != -1) { return pid_with(pid, kill_one, &m) ? 0 : -ESRCH; }
    pid_each(kill_one, &m);  // to the one group that there is; -1: but not to ourselves
    return 0;
}

struct thread_message {
    int tgid, signal;  // tgid 0: any
    bool found;
};

// To a thread: it has no handler either, so what ends it ends its process.
static void kill_thread(struct thread *t, void *message) {
    struct thread_message *m = message;
    m->found = !m->tgid || t->proc->id.number == m->tgid;
    if (m->found && m->signal && t->proc != proc_init_process) { proc_kill(t->proc, m->signal); }
}

static long send_to_thread(int tgid, int tid, int signal) {
    if (tid <= 0 || signal < 0 || signal > SIGNAL_MAX) { return -EINVAL; }
    struct thread_message m = {tgid, ignored(signal) ? 0 : signal, false};
    return pid_with_thread(tid, kill_thread, &m) && m.found ? 0 : -ESRCH;
}

long sys_tkill(int tid, int signal) { return send_to_thread(0, tid, signal); }

long sys_tgkill(int tgid, int tid, int signal) {
    return tgid > 0 ? send_to_thread(tgid, tid, signal) : -EINVAL;
}

SHORT long sys_getpid(void) { return proc_self()->id.number; }

SHORT long sys_getppid(void) { return read_once(proc_self()->ppid); }

SHORT long sys_gettid(void) { return thread_self()->tid; }

long sys_set_tid_address(uaddr word) {
    thread_self()->clear_tid = word;
    return thread_self()->tid;
}

long sys_sched_yield(void) {
    sched_yield();
    return 0;
}

static void set_affinity(struct thread *t, void *harts) {
    write_once(t->affinity, *(u64 *)harts);
    atomic_or_release(&t->work, WORK_RESCHED);  // pairs with sched_user_work
    sched_ring(t);
}

long sys_sched_setaffinity(int tid, usize len, uaddr mask) {
    u64 harts = 0;
    int error = copy_in(&harts, mask, MIN(len, sizeof(harts)));
    if (error) { return error; }
    harts &= harts_all();
    if (!harts) { return -EINVAL; }
    if (!pid_with_thread(tid ? tid : thread_self()->tid, set_affinity, &harts)) { return -ESRCH; }
    sched_obey_affinity();
    return 0;
}

static void get_affinity(struct thread *t, void *harts) { *(u64 *)harts = t->affinity; }

long sys_sched_getaffinity(int tid, usize len, uaddr mask) {
    u64 harts;
    if (len < sizeof(harts) || len & 7) { return -EINVAL; }
    if (!pid_with_thread(tid ? tid : thread_self()->tid, get_affinity, &harts)) { return -ESRCH; }
    int error = copy_out(mask, &harts, sizeof(harts));
    return error ? error : (long)sizeof(harts);
}

long sys_getcpu(uaddr cpu, uaddr node, uaddr unused) {
    u32 index = this_hart()->index;
    (void)unused;
    int error = cpu ? copy_out(cpu, &index, sizeof(index)) : 0;
    return error || !node ? error : zero_out(node, sizeof(index));
}

// A struct timespec in ticks of the clock. 0, -EFAULT, -EINVAL.
static long ticks_of(uaddr timespec, u64 *ticks) {
    struct timespec ts;
    int error = copy_in(&ts, timespec, sizeof(ts));
    if (error) { return error; }
    if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= 1000000000) { return -EINVAL; }
    u64 hz = machine.timebase, most = ~0ul / 2 / hz;
    *ticks = MIN((u64)ts.sec, most) * hz + ts.nsec * hz / 1000000000;
#ifdef MUTANT_sleep_overflow  // as long as asked for
    *ticks = ts.sec * (i64)hz + ts.nsec * (i64)hz / 1000000000;
#endif
    return 0;
}

// When a wait ends: never, so long from now, or then.
static long deadline_of(uaddr timespec, bool absolute, u64 *deadline) {
    *deadline = FUTEX_NEVER;
    long error = timespec ? ticks_of(timespec, deadline) : 0;
    if (timespec && !absolute) { *deadline += time_now(); }
    return error;
}

enum { FUTEX_WAIT = 0, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET,
       FUTEX_PRIVATE_FLAG = 128, FUTEX_CLOCK_REALTIME = 256 };

static long wait_for_word(uaddr word, bool private, bool absolute, u32 value, uaddr timeout, u32 bits) {
    u64 deadline;
    long error = deadline_of(timeout, absolute, &deadline);
    return error ? error : futex_wait(word, private, value, deadline, bits);
}

// `timeout` is a number where two are needed. Both clocks are one.
long sys_futex(uaddr word, int op, uint value, uaddr timeout, uaddr word2, uint value3) {
    int command = op & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    bool private = op & FUTEX_PRIVATE_FLAG, waits = command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
    if (op & FUTEX_CLOCK_REALTIME && !waits) { return -ENOSYS; }
    switch (command) {
    case FUTEX_WAIT:
        return wait_for_word(word, private, false, value, timeout, FUTEX_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_for_word(word, private, true, value, timeout, value3);
    case FUTEX_WAKE:
        return futex_wake(word, private, MAX((int)value, 1), FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return futex_wake(word, private, MAX((int)value, 1), value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        if ((int)value < 0 || (int)timeout < 0) { return -EINVAL; }
        return futex_requeue(word, private, value, (u32)timeout, word2, command == FUTEX_REQUEUE ? NULL : &value3);
    }
    return -ENOSYS;
}

long sys_nanosleep(uaddr req, uaddr rem) {
    u64 ticks;
    (void)rem;  // only death interrupts a sleep
    long error = ticks_of(req, &ticks);
    return error ? error : timer_sleep_until(time_now() + ticks) ? -EINTR : 0;
}

long sys_clock_gettime(int clock, uaddr ts) {
    if (clock < 0 || clock > 7 || clock == 2 || clock == 3) { return -EINVAL; }  // 2, 3: CPU time
    u64 ns = timer_nanoseconds();
    struct timespec now = {ns / 1000000000, ns % 1000000000};
    return copy_out(ts, &now, sizeof(now));
}

long sys_uname(uaddr buf) {
    static const char fields[6][65] = {"Kine", "kine", "0.1", "multicore copy-on-write", "riscv64", ""};
    return copy_out(buf, fields, sizeof(fields));
}

static void count_proc(struct proc *p, void *n) {
    (void)p;
#ifdef MUTANT_M43  // so that nobody is born or dies meanwhile
    spin_lock(&p->parent_lock);
    spin_unlock(&p->parent_lock);
#endif
    ++*(u16 *)n;
}

long sys_sysinfo(uaddr info) {
    struct {
        i64 uptime;
        u64 loads[3], total, free, shared, buffers, swap_total, swap_free;
        u16 procs, pad;
        u32 pad2;
        u64 high_total, high_free;
        u32 unit, pad3;
    } s = {.uptime = timer_nanoseconds() / 1000000000, .total = (u64)frame_count * PAGE_SIZE,
           .free = freelist_count() * PAGE_SIZE, .unit = 1};
    pid_each(count_proc, &s.procs);
    return copy_out(info, &s, sizeof(s));
}

long sys_reboot(int magic1, int magic2, uint cmd, uaddr arg) {
    (void)arg;
    bool known = magic2 == 0x28121969 || magic2 == 0x05121996 || magic2 == 0x16041998 ||
                 magic2 == 0x20112000;
    if ((u32)magic1 != 0xfee1dead || !known) { return -EINVAL; }
    console_write("", 0);  // behind what is queued
    switch (cmd) {
    case 0x4321fedc:  // POWER_OFF
    case 0xcdef0123:  // HALT
        power_off(0);
    case 0x01234567:  // RESTART
        power_reset();
    }
    return -EINVAL;
}
