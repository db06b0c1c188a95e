// SPDX-License-Identifier: MIT
// pipes.c - order, ends, atomicity, and who is woken when.
#include "common.h"

enum { PIPE_BUF = 4096 };

static void bytes_keep_their_order(void) {
    enum { TOTAL = 1 << 20 };
    static uint8_t block[70000];
    struct gate pipe = gate_new();
    int pid = spawn();
    if (pid == 0) {
        uint32_t sent = 0, size = 1;
        while (sent < TOTAL) {
            uint32_t n = size < TOTAL - sent ? size : TOTAL - sent;
            for (uint32_t i = 0; i < n; i++) {
                block[i] = (uint8_t)((sent + i) * 7 >> 3);
            }
            CHECK_EQ(ksys_write(pipe.ends[1], block, n), n);  // blocks until all is in
            sent += n;
            size = size * 3 % 65521 + 1;
        }
        leave();
    }
    ksys_close(pipe.ends[1]);
    uint32_t seen = 0, wrong = 0, size = 1;
    long got;
    while ((got = ksys_read(pipe.ends[0], block, size)) > 0) {
        for (long i = 0; i < got; i++, seen++) {
            wrong += block[i] != (uint8_t)(seen * 7 >> 3);
        }
        size = size * 5 % 65521 + 1;
    }
    CHECK_EQ(got, 0);
    CHECK_EQ(seen, TOTAL);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(reap(pid), 0);
}

static void a_read_takes_what_is_there(void) {
    char buf[100];
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_write(pipe.ends[1], "abcdef", 6), 6);
    CHECK_EQ(ksys_read(pipe.ends[0], buf, 4), 4);
    CHECK_EQ(ksys_read(pipe.ends[0], buf, 100), 2);
    CHECK(memcmp(buf, "ef", 2) == 0);
    CHECK_EQ(ksys_read(pipe.ends[0], buf, 0), 0);
    CHECK_EQ(ksys_write(pipe.ends[1], buf, 0), 0);
}

static void the_end_of_all_writers_is_eof(void) {
    char byte;
    struct gate pipe = gate_new();
    int copy = (int)ksys_dup(pipe.ends[1]);
    int pid = spawn();
    if (pid == 0) {
        ksys_close(pipe.ends[1]);
        nap(5 * MS);
        ksys_write(copy, "z", 1);
        leave();
    }
    ksys_close(copy);
    ksys_close(pipe.ends[1]);
    CHECK_EQ(ksys_read(pipe.ends[0], &byte, 1), 1);
    CHECK_EQ(ksys_read(pipe.ends[0], &byte, 1), 0);
    CHECK_EQ(ksys_read(pipe.ends[0], &byte, 1), 0);
    CHECK_EQ(reap(pid), 0);
}

static void a_killed_writer_is_eof_too(void) {
    char byte;
    struct gate pipe = gate_new();
    int pid = spawn();
    if (pid == 0) {
        for (;;) { nap(1000 * MS); }
    }
    ksys_close(pipe.ends[1]);
    int killer = spawn();
    if (killer == 0) {
        nap(5 * MS);
        ksys_kill(pid, SIGKILL);
        leave();
    }
    CHECK_EQ(ksys_read(pipe.ends[0], &byte, 1), 0);
    CHECK_EQ(reap(pid), KILLED(SIGKILL));
    CHECK_EQ(reap(killer), 0);
}

// The writer may get the error or the signal.
static void writing_without_readers(void) {
    static char block[20 * PAGE];
    struct gate pipe = gate_new();
    int pid = spawn();
    if (pid == 0) {
        ksys_close(pipe.ends[0]);
        ksys_exit_group(ksys_write(pipe.ends[1], block, sizeof block) < (long)sizeof block ? 0 : 9);
    }
    nap(5 * MS);  // now it is blocked in the middle of the write
    ksys_close(pipe.ends[0]);
    int status = reap(pid);
    CHECK(status == 0 || status == KILLED(SIGPIPE));
    pid = spawn();
    if (pid == 0) { ksys_exit_group(ksys_write(pipe.ends[1], "x", 1) == -EPIPE ? 0 : 9); }
    status = reap(pid);
    CHECK(status == 0 || status == KILLED(SIGPIPE));
}

static void ends_have_a_direction(void) {
    char byte;
    struct gate pipe = gate_new();
    CHECK_EQ(ksys_write(pipe.ends[0], "x", 1), -EBADF);
    CHECK_EQ(ksys_read(pipe.ends[1], &byte, 1), -EBADF);
    CHECK_EQ(ksys_pipe2(pipe.ends, 1), -EINVAL);
}

// Writes of up to PIPE_BUF bytes are never interleaved.
static void small_writes_are_atomic(void) {
    enum { WRITERS = 4, RECORDS = 150, MAX = PIPE_BUF };
    static uint8_t record[MAX];
    struct gate pipe = gate_new();
    int pid[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        if ((pid[w] = spawn()) == 0) {
            for (int i = 0; i < RECORDS; i++) {
                uint16_t len = (uint16_t)(i % 3 ? 17 + i * 31 % 3000 : MAX);
                memset(record, w + 1, len);
                memcpy(record, &len, 2);
                CHECK_EQ(ksys_write(pipe.ends[1], record, len), len);
            }
            leave();
        }
    }
    ksys_close(pipe.ends[1]);
    int records = 0, torn = 0;
    uint16_t len;
    while (ksys_read(pipe.ends[0], &len, 2) == 2 && len <= MAX) {
        for (uint16_t got = 2; got < len;) {
            long n = ksys_read(pipe.ends[0], record + got, len - got);
            got = n > 0 ? (uint16_t)(got + n) : MAX + 1;
        }
        records++;
        torn += !all_bytes((char *)record + 2, record[2], len - 2u);
    }
    CHECK_EQ(records, WRITERS * RECORDS);
    CHECK_EQ(torn, 0);
    for (int w = 0; w < WRITERS; w++) { CHECK_EQ(reap(pid[w]), 0); }
}

// Several readers: every byte goes to exactly one of them.
static void readers_share_the_bytes(void) {
    enum { READERS = 4, BYTES = 4000 };
    struct gate pipe = gate_new(), sums = gate_new();
    int pid[READERS];
    for (int r = 0; r < READERS; r++) {
        if ((pid[r] = spawn()) == 0) {
            long sum = 0;
            uint8_t byte;
            ksys_close(pipe.ends[1]);
            while (ksys_read(pipe.ends[0], &byte, 1) == 1) { sum += byte; }
            ksys_write(sums.ends[1], &sum, sizeof sum);
            leave();
        }
    }
    long sent = 0, got = 0, sum;
    for (int i = 0; i < BYTES; i++) {
        uint8_t byte = (uint8_t)(i * 37);
        CHECK_EQ(ksys_write(pipe.ends[1], &byte, 1), 1);
        sent += byte;
    }
    ksys_close(pipe.ends[1]);
    for (int r = 0; r < READERS; r++) {
        CHECK_EQ(ksys_read(sums.ends[0], &sum, sizeof sum), sizeof sum);
        got += sum;
        CHECK_EQ(reap(pid[r]), 0);
    }
    CHECK_EQ(got, sent);
}

static void ping_pong(void) {
    struct gate to = gate_new(), back = gate_new();
    int pid = spawn();
    if (pid == 0) {
        for (int i = 0; i < 500; i++) {
            gate_wait(&to);
            gate_post(&back);
        }
        leave();
    }
    for (int i = 0; i < 500; i++) {
        gate_post(&to);
        gate_wait(&back);
    }
    CHECK_EQ(reap(pid), 0);
}

// A prime sieve: a chain of processes, each with a pipe to the next.
static void a_chain_of_filters(void) {
    struct gate first = gate_new(), primes = gate_new();
    int pid = spawn();
    if (pid == 0) {
        int in = first.ends[0];
        uint8_t mine, n;
        ksys_close(first.ends[1]);
        while (ksys_read(in, &mine, 1) == 1) {
            struct gate next = gate_new();
            ksys_write(primes.ends[1], &mine, 1);
            int child = spawn();
            if (child != 0) {
                while (ksys_read(in, &n, 1) == 1) {
                    if (n % mine) { ksys_write(next.ends[1], &n, 1); }
                }
                gate_free(&next);
                CHECK_EQ(reap(child), 0);
                break;
            }
            ksys_close(next.ends[1]);
            ksys_close(in);
            in = next.ends[0];
        }
        leave();
    }
    ksys_close(primes.ends[1]);
    for (int n = 2; n < 250; n++) {
        uint8_t byte = (uint8_t)n;
        ksys_write(first.ends[1], &byte, 1);
    }
    gate_free(&first);
    int count = 0;
    uint8_t prime, last = 0;
    while (ksys_read(primes.ends[0], &prime, 1) == 1) {
        CHECK(prime > last);
        last = prime;
        count++;
    }
    CHECK_EQ(count, 53);
    CHECK_EQ(last, 241);
    CHECK_EQ(reap(pid), 0);
}

TEST_MAIN(TEST(bytes_keep_their_order), TEST(a_read_takes_what_is_there),
          TEST(the_end_of_all_writers_is_eof), TEST(a_killed_writer_is_eof_too),
          TEST(writing_without_readers), TEST(ends_have_a_direction),
          TEST(small_writes_are_atomic), TEST(readers_share_the_bytes), TEST(ping_pong),
          TEST(a_chain_of_filters))
