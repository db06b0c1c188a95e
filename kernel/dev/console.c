// SPDX-License-Identifier: MIT
// console.c - a 16550 UART and a line discipline: echo, erase (BS, DEL), kill line (^U), end of file
// (^D), the state of all harts (^T).
//
// Output     of programs stands in a ring while the transmitter is busy, and leaves by interrupt; writers
//            sleep while the ring is full. What the kernel says is polled, behind the ring's content:
//            whoever says something may hold locks, and the next thing may be a panic. A piece goes out
//            as a whole either way: lines of different harts do not mix. (^T and a panic take no lock.)
// Input      comes by interrupt into a line buffer; readers sleep until a line (or ^D) is complete.
#include "dev/console.h"
#include "dev/fdt.h"
#include "dev/plic.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/uaccess.h"
#include "panic.h"
#include "proc/sched.h"
#include "riscv/sbi.h"
#include "sync/park.h"
#include "sync/waitq.h"

enum { RHR = 0, THR = 0, IER = 1, FCR = 2, LCR = 3, LSR = 5, LSR_READY = 1, LSR_THR_EMPTY = 32, LSR_IDLE = 64 };
enum { IER_READY = 1, IER_THR_EMPTY = 2 };
#define CTRL(c) ((c) & 0x1f)
#define LINE_BYTES 1024
#define RING_BYTES 1024

static volatile u8 *uart;
static bool interrupts;  // they reach a hart: what stands in the ring will leave it

static struct spin tx_lock = SPIN_INIT(CONSOLE);
static struct waitq tx_wait = WAITQ_INIT(tx_wait);
static char ring[RING_BYTES];
static u32 ring_tail, ring_head;  // sent up to; written up to (free-running)

static struct spin rx_lock = SPIN_INIT(TTYBUF);
static struct waitq rx_wait = WAITQ_INIT(rx_wait);
static char line[LINE_BYTES];
static u32 line_tail, line_done, line_head;  // read up to; complete up to; typed up to (free-running)

static void put(char c) {
    while (!(uart[LSR] & LSR_THR_EMPTY)) { cpu_pause(); }
    uart[THR] = c;
}

void console_write_unlocked(const char *s, usize n) {
    for (; n; n--, s++) {
        if (!uart) {
            sbi_putchar(*s);
            continue;
        }
        if (*s == '\n') { put('\r'); }
        put(*s);
    }
}

static u32 pending(void) {
    u32 n = ring_head - ring_tail;
    return n <= RING_BYTES ? n : 0;  // a panic may have sent it, too
}

// What stands in the ring now: in a panic others may go on writing.
void console_flush_unlocked(void) {
    for (u32 n = pending(); n; n--) { put(ring[ring_tail++ % RING_BYTES]); }
}

void console_write(const char *s, usize n) {
    u64 flags = spin_lock_irq(&tx_lock);
    console_flush_unlocked();
    console_write_unlocked(s, n);
    spin_unlock_irq(&tx_lock, flags);
}

void console_await_idle(void) {
    while (uart && !(uart[LSR] & LSR_IDLE)) { cpu_pause(); }
}

// Send what the transmitter takes. => tx_lock held
static void transmit(void) {
    while (pending() && uart[LSR] & LSR_THR_EMPTY) { uart[THR] = ring[ring_tail++ % RING_BYTES]; }
}

// Write s as a whole, or nothing if the ring has no room: then an interrupt will wake who waits. Only its
// handler switches that off: whoever empties the ring here must not take it from those who wait.
static bool queue(const char *s, usize n) {
    if (!interrupts) {
        console_write(s, n);
        return true;
    }
    u64 flags = spin_lock_irq(&tx_lock);
    bool room = RING_BYTES - pending() >= 2 * n;
    for (; n && room; n--, s++) {
        if (*s == '\n') { ring[ring_head++ % RING_BYTES] = '\r'; }
        ring[ring_head++ % RING_BYTES] = *s;
    }
    transmit();
    if (pending() || !room) { uart[IER] = IER_READY | IER_THR_EMPTY; }
    spin_unlock_irq(&tx_lock, flags);
    return room;
}

void console_init(void) {
    if (machine.uart) { uart = kvm_map_device(machine.uart, 8); }
}

void console_listen(void) {
    if (uart) {
        uart[FCR] = 7;  // FIFOs on and empty
        uart[IER] = IER_READY;
        interrupts = plic_enable(machine.uart_irq);
    }
}

static void erase(u32 n) {
    while (n-- && line_head != line_done) {
        line_head--;
        queue("\b \b", 3);
    }
}

// => rx_lock held
static void typed(char c) {
    if (c == CTRL('U')) {
        erase(~0u);
    } else if (c == '\b' || c == 0x7f) {
        erase(1);
    } else if (line_head - line_tail < LINE_BYTES - 1 || c == '\n' || c == '\r' || c == CTRL('D')) {
        c = c == '\r' ? '\n' : c;
        if (line_head - line_tail >= LINE_BYTES) { return; }
        if (c != CTRL('D')) { queue(&c, 1); }  // no echo if the ring is full
        line[line_head++ % LINE_BYTES] = c;
        if (c == '\n' || c == CTRL('D')) {
            line_done = line_head;
            waitq_wake_all(&rx_wait);
        }
    }
}

void console_interrupt(void) {
    while (uart[LSR] & LSR_READY) {
        char c = uart[RHR];
        if (c == CTRL('T')) {
            panic_show_harts();
            continue;
        }
        u64 flags = spin_lock_irq(&rx_lock);
        typed(c);
        spin_unlock_irq(&rx_lock, flags);
    }
    u64 flags = spin_lock_irq(&tx_lock);
    transmit();
    uart[IER] = pending() ? IER_READY | IER_THR_EMPTY : IER_READY;
    spin_unlock_irq(&tx_lock, flags);
    waitq_wake_all(&tx_wait);
}

// Take what there is of a complete line, up to n bytes. *eof: a ^D stood first.
static usize take(char *to, usize n, bool *eof) {
    usize got = 0;
#ifdef MUTANT_irq_unsafe_tty  // a key that is pressed now is waited for in vain
    u64 flags = 0;
    spin_lock(&rx_lock);
#else
    u64 flags = spin_lock_irq(&rx_lock);
#endif
    while (got < n && line_tail != line_done) {
        char c = line[line_tail++ % LINE_BYTES];
        if (c == CTRL('D')) {
            line_tail -= got > 0;  // an end of file of its own, next time
            *eof = true;
            break;
        }
        to[got++] = c;
        if (c == '\n') { break; }
    }
    spin_unlock_irq(&rx_lock, flags);
    return got;
}

// Whoever finds a complete line first has it: all are woken by one.
static long console_file_read(struct file *f, uaddr buf, usize n) {
    char piece[256];
    bool eof = false;
    struct waiter w;
    (void)f;
    n = MIN(n, sizeof(piece));
    waitq_add(&rx_wait, &w);
    usize got;
    while (!(got = take(piece, n, &eof)) && !eof && n && !park_killed()) {
        park();
        waitq_again(&rx_wait, &w);
    }
    waitq_del(&rx_wait, &w);
    if (!got && park_killed()) { return -EINTR; }
    return copy_out(buf, piece, got) ? -EFAULT : (long)got;  // it is gone: -ENOMEM would ask for the next
}

// Queue s, sleeping while there is no room. False: we shall die.
static bool queue_later(const char *s, usize n) {
    struct waiter w;
    waitq_add(&tx_wait, &w);
    bool done = queue(s, n);
    while (!done && !park_killed()) {
        park();
        waitq_again(&tx_wait, &w);
        done = queue(s, n);
    }
    waitq_del(&tx_wait, &w);
    return done;
}

static long console_file_write(struct file *f, uaddr buf, usize n) {
    char piece[256];
    (void)f;
    usize done = 0;
    while (done < n && sched_go_on()) {
        usize step = MIN(n - done, sizeof(piece));
        long error = copy_in(piece, buf + done, step);
        if (error) { return done ? (long)done : error; }
        if (queue_later(piece, step)) { done += step; }
    }
    return done;
}

static long null_read(struct file *f, uaddr buf, usize n) {
    (void)f, (void)buf, (void)n;
    return 0;
}

static long zero_read(struct file *f, uaddr buf, usize n) {
    (void)f;
    usize done = 0;
    while (done < n && sched_go_on()) {
        usize step = MIN(n - done, 16 * PAGE_SIZE);
        long error = zero_out(buf + done, step);
        if (error) { return done ? (long)done : error; }
        done += step;
    }
    return done;
}

static long null_write(struct file *f, uaddr buf, usize n) {
    (void)f, (void)buf;
    return n;
}

const struct file_ops *device_ops(const char *name) {
    static const struct file_ops console = {.read = console_file_read, .write = console_file_write};
    static const struct file_ops null = {.read = null_read, .write = null_write, .seek_to_0 = true};
    static const struct file_ops zero = {.read = zero_read, .write = null_write, .seek_to_0 = true};
    return strcmp(name, "console") == 0 ? &console : strcmp(name, "null") == 0 ? &null : &zero;
}
