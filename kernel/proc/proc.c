// SPDX-License-Identifier: MIT
// proc.c - making and freeing processes, and the first one.
#include "proc/proc.h"
#include "fs/file.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/cache.h"
#include "proc/futex.h"
#include "proc/runq.h"

static struct cache proc_cache;
struct proc *proc_init_process;

void proc_boot(void) {
    cache_init(&proc_cache, "proc", sizeof(struct proc));
    thread_boot();
    vfork_boot();
    cwd_boot();
    futex_boot();
    pid_boot();
}

struct proc *proc_create(void *(*start)(void *), void *arg) {
    struct proc *p = cache_alloc(&proc_cache);
    if (!p) { return NULL; }
    *p = (struct proc){.nthreads = 1, .live = 1};
    spin_init(&p->threads_lock, RANK_THREADS);
    list_init(&p->threads);
    list_init(&p->dead);
    waitq_init(&p->alone);
    spin_init(&p->parent_lock, RANK_PARENT);
    spin_init(&p->children_lock, RANK_CHILDREN);
    list_init(&p->children);
    list_init(&p->zombies);
    waitq_init(&p->child_wait);
    p->leader = thread_create(p, start, arg);
    if (!p->leader) {
        cache_free(&proc_cache, p);
        return NULL;
    }
    list_add(&p->threads, &p->leader->sibling);
    return p;
}

// => all its threads are buried, or it has only the one that never ran
void proc_free(struct proc *p) {
    struct thread *leader = p->leader;
    list_del(&leader->sibling);
    if (!list_empty(&p->dead)) { thread_sweep(p); }
    thread_free(leader);
    cache_free(&proc_cache, p);
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
    struct thread *t = thread_self();
    t->as = as_create();
    if (!t->as || as_map_memory(t->as, USER_MIN, PAGE_SIZE, PROT_READ | PROT_WRITE, AS_VACANT) < 0) {
        panic("no memory for the first process");
    }
    as_adopt(t->as);
    struct first_page *page = as_populate(t->as, USER_MIN), *user = (struct first_page *)USER_MIN;
    ASSERT(page && sizeof(*page) <= PAGE_SIZE, "the first process has no page");
    as_switch(t->as);
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
    file_open_console(t->files);
    long error = proc_exec((uaddr)user->path, (uaddr)user->argv, (uaddr)user->envp);
    if (error) { panic("/bin/init: error %ld (is there an -initrd?)", -error); }
    irq_disable();
    ghost_user();
    return thread_trapframe(t);
}

void proc_start_init(const char *command_line) {
    struct proc *p = proc_create(first_process, (void *)command_line);
    struct thread *t = p ? p->leader : NULL;
    if (!t || !pid_assign(&p->id, p, NULL) || !(t->files = fd_table_create()) ) {
        panic("no memory for the first process");
    }
    t->tid = p->id.number;
    t->dir = inode_root();
    strlcpy(p->name, "init", sizeof(p->name));
    proc_init_process = p;
    runq_add(t);
}
