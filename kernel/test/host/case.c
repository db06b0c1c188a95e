// SPDX-License-Identifier: MIT
// case.c - runs the cases and prints KTAP. A case passes if all that it expected held, if no sanitizer
// spoke, and if the judge finds every frame and object in its place afterwards.
//
// Death      a case that expects a panic tries it in a forked copy of the process, so that what the
//            panic left locked does not matter.
// A panic    that nobody expected ends the program: the plan is then not kept, which is a failure.
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/print.h"
#include "lib/string.h"
#include "sync/atomic.h"
#include "test/host/host.h"

enum { PANIC_STATUS = 101, CPU_SECONDS_PER_CASE = 120, SECONDS_PER_CASE = 900 };

u64 test_seed = 1;
static struct test_case *cases, **last = &cases;
static struct test_case *running;
static u32 failures;  // (a) of the running case
static int death_pipe;
static const char *program;

void case_add(struct test_case *c) {
    *last = c;
    last = &c->next;
}

void case_fail(const char *file, int line, const char *what) {
    if (atomic_add_relaxed(&failures, 1u) < 5) {
        printf("# %s:%d: hart %u: not true: %s\n", file, line, this_hart()->index, what);
    }
}

// The word between "test_" and ".c" of the file's name.
static void print_name(const struct test_case *c) {
    const char *stem = strrchr(c->file, '/');
    stem = (stem ? stem + 1 : c->file) + strlen("test_");
    printf("%.*s: %s\n", (int)(strlen(stem) - 2), stem, c->name);
}

// Spinning for ever is seen by the CPU's time, sleeping for ever by the wall clock's: the host may be slow.
static void limit_time(void) {
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = CPU_SECONDS_PER_CASE}, NULL);
    alarm(SECONDS_PER_CASE);
}

static bool run_one(struct test_case *c) {
    running = c;
    limit_time();
    machine_seed(test_seed);
    atomic_store_relaxed(&failures, 0u);
    c->run();
    fail_allocation(0);
    for (u32 i = 0; i < nharts; i++) { EXPECT(!harts[i]->active_as && !harts[i]->nheld); }
    EXPECT(objects_out() == 0);
    EXPECT(books_balance(NULL, 0, 0));
    return atomic_load_relaxed(&failures) == 0;
}

int case_run_all(const char *only) {
    u32 n = 0, bad = 0;
    for (struct test_case *c = cases; c; c = c->next) {
        n += !only || strstr(c->name, only) || strstr(c->file, only);
    }
    printf("KTAP version 1\n# seed %lu\n1..%u\n", test_seed, n);
    n = 0;
    for (struct test_case *c = cases; c; c = c->next) {
        if (!only || strstr(c->name, only) || strstr(c->file, only)) {
            bool ok = run_one(c);
            bad += !ok;
            printf("%sok %u - ", ok ? "" : "not ", ++n);
            print_name(c);
            if (!ok) { printf("# again: %s %lu %s\n", program, test_seed, c->name); }
        }
    }
    return bad != 0 || n == 0;
}

void panic(const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    printf("# panic in %s: ", running ? running->name : "boot");
    vprintf(format, ap);
    printf("\nBail out!\n");
    va_end(ap);
    fflush(stdout);
    _exit(PANIC_STATUS);
}

static void hang(int signal) {
    (void)signal;
    static const char text[] = "\nBail out! the case before has not ended in time\n";
    _exit(write(STDOUT_FILENO, text, sizeof(text) - 1) > 0 ? 102 : 103);
}

bool death_begin(void) {
    int ends[2];
    fflush(stdout);
    if (pipe(ends)) { panic("no pipe"); }
    if (fork() == 0) {
        dup2(ends[1], STDOUT_FILENO);
        limit_time();
        return true;
    }
    close(ends[1]);
    death_pipe = ends[0];
    return false;
}

void death_survived(void) { _exit(0); }

bool death_end(const char *words) {
    static char said[4096];
    usize n = 0;
    for (ssize_t got; (got = read(death_pipe, said + n, sizeof(said) - 1 - n)) > 0;) {
        n += got;
    }
    said[n] = 0;
    close(death_pipe);
    int status;
    wait(&status);
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == PANIC_STATUS && strstr(said, words);
    if (!ok) {
        printf("# expected a panic with \"%s\", got status %x and: %s\n", words, status, said);
    }
    return ok;
}

// ThreadSanitizer calls this when it has found something: the case fails.
void __tsan_on_report(void *report);
void __tsan_on_report(void *report) {
    (void)report;
    atomic_add_relaxed(&failures, 1u);
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "halt_on_error=0:history_size=5:report_thread_leaks=0:report_signal_unsafe=0";
}

const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";  // the judge counts frames and objects; the host's heap is not used
}

// Arguments: a seed, then words of a case's or file's name to run only those.
int main(int argc, char **argv) {
    program = argv[0];
    test_seed = argc > 1 ? strtoul(argv[1], NULL, 0) : test_seed;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGALRM, hang);
    signal(SIGPROF, hang);
    machine_start();
    int status = case_run_all(argc > 2 ? argv[2] : NULL);
    fflush(stdout);
    _exit(status);
}
