// SPDX-License-Identifier: MIT
// kvm.c - see kvm.h. Text is R-X, rodata R--, the rest RW-; the direct map's alias of text and rodata
// is read-only, too, so no page of the kernel can be both written and executed.
#include "mm/kvm.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/tlb.h"
#include "riscv/csr.h"
#include "riscv/hart.h"
#include "riscv/pte.h"
#include "sync/atomic.h"

extern char __image_start[], __text_end[], __rodata_end[], __image_end[];

#define KFLAGS (PTE_V | PTE_G | PTE_A | PTE_D | PTE_R)

static pte_t early_root[PT_ENTRIES] __attribute__((aligned(4096)));
u64 boot_early_satp;
u64 kvm_root_pa;
static pte_t *kroot;
static struct mem_range *boot_range;
static u16 slots[PT_ENTRIES / 2];  // the root entries in use
static u32 nslots;

static u64 image_pa(const void *p) { return (u64)p - IMAGE_BASE + IMAGE_PHYS; }

// Runs at physical addresses: pointers to objects are physical here (code is position-independent).
u64 boot_early_map(void) {
    u64 all = PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D;
    early_root[pt_index(IMAGE_BASE, 2)] = pte_make(IMAGE_PHYS, all);
    for (u64 pa = 0; pa < DIRECT_SIZE; pa += pt_span(2)) {
        early_root[pt_index(DIRECT_BASE + pa, 2)] = pte_make(pa, all & ~PTE_X);
    }
    boot_early_satp = SATP_SV39 | (u64)early_root >> PAGE_SHIFT;
    return boot_early_satp;
}

void boot_alloc_from(struct mem_range *range) { boot_range = range; }

void *boot_alloc(usize bytes) {
    bytes = ALIGN_UP(bytes, CACHE_LINE);
    if (boot_range->end - boot_range->base < bytes) {
        panic("boot: no room for %lu bytes", bytes);
    }
    void *p = pa_to_kva(boot_range->base);
    boot_range->base += bytes;
    memset(p, 0, bytes);
    return p;
}

static void *boot_page(void) {
    boot_range->base = ALIGN_UP(boot_range->base, PAGE_SIZE);
    return boot_alloc(PAGE_SIZE);
}

static pte_t *lower_table(pte_t *e) {
    if (!(*e & PTE_V)) { *e = pte_make(kva_to_pa(boot_page()), PTE_V); }
    return pa_to_kva(pte_pa(*e));
}

// Map [va, va + len) to pa with leaves as large as alignment allows.
static void map(u64 va, u64 pa, u64 len, u64 flags) {
    for (u64 done = 0; done < len;) {
        int level = 2;
        while (level > 0 && (((va + done) | (pa + done)) & (pt_span(level) - 1) ||
                             len - done < pt_span(level))) {
            level--;
        }
        pte_t *table = kroot;
        for (int l = 2; l > level; l--) {
            table = lower_table(&table[pt_index(va + done, l)]);
        }
        pte_t *e = &table[pt_index(va + done, level)];
        if (!(*e & PTE_V)) { *e = pte_make(pa + done, flags); }
        done += pt_span(level);
    }
}

static void map_image(u64 from, u64 to, u64 flags, u64 alias) {
    map(from, image_pa((void *)from), to - from, flags);
    map(DIRECT_BASE + image_pa((void *)from), image_pa((void *)from), to - from, alias);
}

void kvm_init(const struct mem_range *memory, u32 n) {
    u64 text = ALIGN_UP((u64)__text_end, PAGE_SIZE), rodata = ALIGN_UP((u64)__rodata_end, PAGE_SIZE);
    kroot = kroot ? kroot : boot_page();
    kvm_root_pa = kva_to_pa(kroot);
    map_image((u64)__image_start, text, KFLAGS | PTE_X, KFLAGS);
    map_image(text, rodata, KFLAGS, KFLAGS);
    map_image(rodata, ALIGN_UP((u64)__image_end, PAGE_SIZE), KFLAGS | PTE_W, KFLAGS | PTE_W);
    u64 lo = ALIGN_DOWN(image_pa(__image_start), PAGE_SIZE), hi = ALIGN_UP(image_pa(__image_end), PAGE_SIZE);
    for (u32 i = 0; i < n; i++) {
        u64 base = memory[i].base, end = memory[i].end;
        if (lo >= base && hi <= end) {  // around the image, which is mapped above
            map(DIRECT_BASE + base, base, lo - base, KFLAGS | PTE_W);
            base = hi;
        }
        map(DIRECT_BASE + base, base, end - base, KFLAGS | PTE_W);
    }
    for (u32 i = 0; i < nharts; i++) {
        lower_table(&kroot[pt_index(KSTACK_BASE + i * KSTACK_SPAN, 2)]);
    }
    for (u32 i = PT_ENTRIES / 2; i < PT_ENTRIES; i++) {
        if (kroot[i]) { slots[nslots++] = i; }
    }
}

void kvm_activate(void) {
    asid_probe();
    ghost_satp(frame_from_pa(kvm_root_pa), 0, csr_write(satp, SATP_SV39 | kvm_root_pa >> PAGE_SHIFT));
    sfence_all();
}

void *kvm_map_device(u64 pa, usize bytes) {
    kroot = kroot ? kroot : boot_page();
    u64 base = ALIGN_DOWN(pa, PAGE_SIZE);
    map(DIRECT_BASE + base, base, ALIGN_UP(pa + bytes, PAGE_SIZE) - base, KFLAGS | PTE_W);
    return pa_to_kva(pa);
}

u64 *kvm_stack_entry(u64 va, bool make) {
    pte_t *l1 = pa_to_kva(pte_pa(kroot[pt_index(va, 2)]));
    pte_t *e = &l1[pt_index(va, 1)];
    if (!(*e & PTE_V)) {
        frame_t f = make ? frame_alloc_zeroed(FRAME_KERNEL) : FRAME_NONE;
        if (!f) { return NULL; }
        ghost_change(e, atomic_store_release(e, pte_make(frame_pa(f), PTE_V)));
    }
    return &((pte_t *)pa_to_kva(pte_pa(*e)))[pt_index(va, 0)];
}

// The kernel's root entries never change after boot, so every root can have its own copy of them.
void kvm_copy_root(u64 *root) {
    for (u32 i = 0; i < nslots; i++) {
#ifdef MUTANT_kernel_marked  // as if it were to be copied, too
        root[slots[i]] = kroot[slots[i]] | PTE_COW;
#else
        root[slots[i]] = kroot[slots[i]];
#endif
    }
}

void kvm_clear_root(u64 *root) {
    for (u32 i = 0; i < nslots; i++) { root[slots[i]] = 0; }
}

bool kvm_readable(u64 va) {
    pte_t *table = kroot;
    if (!kroot || va < DIRECT_BASE || va & 7) { return false; }
    for (int level = 2; level >= 0; level--) {
        pte_t e = table[pt_index(va, level)];
        if (!(e & PTE_V)) { return false; }
        if (pte_is_leaf(e)) { return e & PTE_R; }
        table = pa_to_kva(pte_pa(e));
    }
    return false;
}
