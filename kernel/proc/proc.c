// SPDX-License-Identifier: MIT
// proc.c - making, starting, killing and freeing processes.
#include "proc/proc.h"
#include "fs/file.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "mm/kstack.h"
#include "proc/runq.h"
#include "proc/sched.h"
#include "sync/park.h"

static struct cache proc_cache, thread_cache;
struct proc *proc_init_process;

void thread_start(void);  // trap.S

void proc_boot(void) {
    cache_init(&proc_cache, "proc", sizeof(struct proc));
    cache_init(&thread_cache, "thread", sizeof(struct thread));
    pid_boot();
}

static struct thread *thread_create(struct proc *p, void *(*start)(void *), void *arg) {
    struct thread *t = cache_alloc(&thread_cache);
    if (!t) { return NULL; }
    u64 stack = kstack_alloc();
    if (!stack) {
        cache_free(&thread_cache, t);
        return NULL;
    }
    t->context.ra = (u64)thread_start;
    t->context.sp = stack - TF_SIZE;
    t->context.s[1] = (u64)start;
    t->context.s[2] = (u64)arg;
    t->state = THREAD_READY;
    t->work = 0;
    t->proc = p;
    t->stack = stack;
    t->stack_hart = HART_MAX;
    t->hart = this_hart()->index;
    t->affinity = harts_all();
    t->inject = (struct inject){0, 0};
    t->fp_used = false;
    LOCKDEP_ONLY(t->mutexes = (struct lockdep_list){0});
    race_thread_begin(t);
    return t;
}

struct proc *proc_create(void *(*start)(void *), void *arg) {
    struct proc *p = cache_alloc(&proc_cache);
    if (!p) { return NULL; }
    *p = (struct proc){0};
    spin_init(&p->parent_lock, RANK_PARENT);
    spin_init(&p->children_lock, RANK_CHILDREN);
    list_init(&p->children);
    list_init(&p->zombies);
    waitq_init(&p->child_wait);
    p->thread = thread_create(p, start, arg);
    if (!p->thread) {
        cache_free(&proc_cache, p);
        return NULL;
    }
    return p;
}

void proc_free(struct proc *p) {
    race_thread_end(p->thread);
#ifndef MUTANT_W08  // two pages for each child
    kstack_free(p->thread->stack);
#endif
    cache_free(&thread_cache, p->thread);
    cache_free(&proc_cache, p);
}

// The signal is set before the thread is looked at: it either sees the signal before it parks, or is
// parking or parked and gets unparked, or runs and finds the work on its way to user mode.
void proc_kill(struct proc *p, int signal) {
    struct thread *t = p->thread;
    if (!atomic_cas32_acq_rel((u32 *)&p->kill_signal, 0, signal)) { return; }
    atomic_or_relaxed(&t->work, WORK_KILL);
#ifndef MUTANT_kill_unfenced  // "the CAS has both halves"
    atomic_fence_full();  // the signal before the look at its state: pairs with park_killed
#endif
    unpark(t);
    sched_ring(t);
}

// ---- the first process ----

// Split at blanks; double quotes group. Returns how many words there are.
static u32 split_words(char *s, char **words, u32 max) {
    u32 n = 0;
    char *out = s;
    while (*s && n < max) {
        while (*s == ' ') { s++; }
        if (!*s) { break; }
        words[n++] = out;
        bool quoted = false;
        for (; *s && (quoted || *s != ' '); s++) {
            if (*s == '"') {
                quoted = !quoted;
            } else {
                *out++ = *s;
            }
        }
        s += *s == ' ';
        *out++ = 0;
    }
    return n;
}

// "words -- command" becomes init's environment (words with '=') and arguments. It calls exec as anybody
// does: with the addresses of what stands in its own memory, a page that holds this.
struct first_page {
    char path[16], text[1024];
    uaddr argv[96], envp[96];
};

static void *first_process(void *command_line) {
    static char *words[96];
    struct proc *p = proc_self();
    p->as = as_create();
    if (!p->as || as_map(p->as, USER_MIN, PAGE_SIZE, PROT_READ | PROT_WRITE, NULL, 0, 0)) {
        panic("no memory for the first process");
    }
    as_adopt(p->as);
    struct first_page *page = as_populate(p->as, USER_MIN), *user = (struct first_page *)USER_MIN;
    ASSERT(page && sizeof(*page) <= PAGE_SIZE, "the first process has no page");
    as_switch(p->as);
    strlcpy(page->path, "/bin/init", sizeof(page->path));
    strlcpy(page->text, command_line, sizeof(page->text));
    u32 n = split_words(page->text, words, 95), argc = 1, envc = 0;
    page->argv[0] = (uaddr)user->path + strlen("/bin/");
    bool command = false;
    for (u32 i = 0; i < n; i++) {
        uaddr word = (uaddr)user->text + (words[i] - page->text);
        if (command) {
            page->argv[argc++] = word;
        } else if (strcmp(words[i], "--") == 0) {
            command = true;
        } else if (strchr(words[i], '=')) {
            page->envp[envc++] = word;
        }
    }
    file_open_console(p->files);
    long error = proc_exec((uaddr)user->path, (uaddr)user->argv, (uaddr)user->envp);
    if (error) { panic("/bin/init: error %ld (is there an -initrd?)", -error); }
    irq_disable();
    ghost_user();
    return thread_trapframe(p->thread);
}

void proc_start_init(const char *command_line) {
    struct proc *p = proc_create(first_process, (void *)command_line);
    if (!p || !pid_assign(p) || !(p->files = fd_table_create())) {
        panic("no memory for the first process");
    }
    p->cwd = inode_root();
    strlcpy(p->name, "init", sizeof(p->name));
    proc_init_process = p;
    runq_add(p->thread);
}
