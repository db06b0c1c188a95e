// SPDX-License-Identifier: MIT
// fdt.c - one pass over the structure block, a handler for each kind of node that we know.
//
// The properties of a node are gathered first and looked at when its end comes: after its children.
// #address-cells and #size-cells of the parent apply; without them 2 and 1 (the specification, 2.3.5).
#include "dev/fdt.h"
#include "lib/print.h"
#include "lib/string.h"

struct machine machine;

enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9, DEPTH_MAX = 8, PROPS_MAX = 24 };

struct prop {
    const char *name, *data;
    u32 len;
};

struct node {
    const char *name;
    u32 nprops;
    struct prop props[PROPS_MAX];
};

static u32 be32(const void *p) {
    const u8 *b = p;
    return (u32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static u64 cells(const char *p, u32 n) {
    u64 v = 0;
    for (u32 i = 0; i < n; i++) { v = v << 32 | be32(p + 4 * i); }
    return v;
}

static const struct prop *find(const struct node *n, const char *name) {
    for (u32 i = 0; i < n->nprops; i++) {
        if (strcmp(n->props[i].name, name) == 0) { return &n->props[i]; }
    }
    return NULL;
}

static u64 number(const struct node *n, const char *name) {
    const struct prop *p = find(n, name);
    return p && p->len >= 4 ? cells(p->data, p->len / 4 > 2 ? 2 : p->len / 4) : 0;
}

// Does the string list of `property` contain `word`?
static bool lists(const struct node *n, const char *property, const char *word) {
    const struct prop *p = find(n, property);
    for (u32 i = 0; p && i < p->len; i += strlen(p->data + i) + 1) {
        if (strcmp(p->data + i, word) == 0) { return true; }
    }
    return false;
}

static bool named(const struct node *n, const char *prefix) {
    usize len = strlen(prefix);
    return strncmp(n->name, prefix, len) == 0 && (!n->name[len] || n->name[len] == '@');
}

static u32 count_of(const struct node *n, const char *cells, u32 otherwise) {
    return find(n, cells) ? number(n, cells) : otherwise;
}

// The i-th (address, size) of `reg`; false when there is none.
static bool reg(const struct node *n, const struct node *parent, u32 i, u64 *base, u64 *size) {
    const struct prop *p = find(n, "reg");
    u32 of_base = count_of(parent, "#address-cells", 2), of_size = count_of(parent, "#size-cells", 1);
    u32 step = 4 * (of_base + of_size);
    if (!p || !step || (i + 1) * step > p->len) { return false; }
    *base = cells(p->data + i * step, of_base);
    *size = cells(p->data + i * step + 4 * of_base, of_size);
    return true;
}

static void add_range(struct mem_range *to, u32 *count, u64 base, u64 size) {
    if (*count == RANGES_MAX) { panic("device tree: more than %u ranges of memory", RANGES_MAX); }
    to[(*count)++] = (struct mem_range){base, base + size};
}

static void add_ranges(const struct node *n, const struct node *parent, struct mem_range *to,
                       u32 *count) {
    u64 base, size;
    for (u32 i = 0; reg(n, parent, i, &base, &size); i++) { add_range(to, count, base, size); }
}

static void cpu_node(const struct node *n) {
    const struct prop *status = find(n, "status"), *isa = find(n, "riscv,isa");
    if (machine.nharts == HART_MAX || (status && strncmp(status->data, "ok", 2))) { return; }
    machine.sstc = (machine.nharts == 0 || machine.sstc) && isa && strstr(isa->data, "_sstc");
    machine.cpus[machine.nharts++].hartid = number(n, "reg");
}

// Context c of the PLIC is wired to (cpu's controller, 9 = supervisor external) by its c-th pair.
static void plic_node(const struct node *n, u64 base, u64 size) {
    const struct prop *p = find(n, "interrupts-extended");
    machine.plic = base;
    machine.plic_size = size;
    for (u32 c = 0; p && (c + 1) * 8 <= p->len; c++) {
        const char *pair = p->data + 8 * c;
        for (u32 h = 0; h < machine.nharts && be32(pair + 4) == 9; h++) {
            if (machine.cpus[h].intc == be32(pair)) { machine.cpus[h].plic_context = c + 1; }
        }
    }
}

static void chosen_node(const struct node *n) {
    const struct prop *args = find(n, "bootargs");
    machine.initrd = number(n, "linux,initrd-start");
    machine.initrd_end = number(n, "linux,initrd-end");
    if (args) { strlcpy(machine.bootargs, args->data, sizeof(machine.bootargs)); }
}

// Sorted by address: the tree may have them in any order.
static void virtio_node(struct virtio_slot slot) {
    u32 i = machine.nvirtio++;
    for (; i && machine.virtio[i - 1].base > slot.base; i--) { machine.virtio[i] = machine.virtio[i - 1]; }
    machine.virtio[i] = slot;
}

static void device_node(const struct node *n, const struct node *parent) {
    u64 base, size;
    if (!reg(n, parent, 0, &base, &size)) { return; }
    if (lists(n, "compatible", "ns16550a") && !machine.uart) {
        machine.uart = base;
        machine.uart_irq = number(n, "interrupts");
    } else if (lists(n, "compatible", "riscv,plic0") || lists(n, "compatible", "sifive,plic-1.0.0")) {
        plic_node(n, base, size);
    } else if (lists(n, "compatible", "sifive,test0")) {
        machine.test = base;
    } else if (lists(n, "compatible", "riscv,aclint-sswi")) {
        machine.sswi = base;
    } else if (lists(n, "compatible", "virtio,mmio") && machine.nvirtio < ARRAY_LEN(machine.virtio)) {
        virtio_node((struct virtio_slot){base, number(n, "interrupts")});
    }
}

// path[0] is the root; path[depth] the node that ends.
static void visit(const struct node *path, u32 depth) {
    const struct node *n = &path[depth], *parent = depth ? &path[depth - 1] : n;
    if (named(n, "memory") && depth == 1) {
        add_ranges(n, parent, machine.memory, &machine.nmemory);
    } else if (depth == 2 && named(parent, "reserved-memory")) {
        add_ranges(n, parent, machine.reserved, &machine.nreserved);
    } else if (named(n, "cpus")) {
        machine.timebase = number(n, "timebase-frequency");
    } else if (named(n, "cpu") && depth == 2) {
        cpu_node(n);
    } else if (named(n, "interrupt-controller") && depth == 3 && machine.nharts < HART_MAX) {
        machine.cpus[machine.nharts].intc = number(n, "phandle");  // of the cpu that ends next
    } else if (named(n, "chosen")) {
        chosen_node(n);
    } else {
        device_node(n, parent);
    }
}

static void walk(const char *p, const char *end, const char *strings) {
    static struct node path[DEPTH_MAX + 1];
    int depth = -1;
    while (p + 4 <= end && be32(p) != END) {
        u32 token = be32(p);
        p += 4;
        if (token == BEGIN_NODE) {
            if (++depth > DEPTH_MAX) { panic("device tree: more than %d levels", DEPTH_MAX); }
            path[depth] = (struct node){.name = p};
            p += ALIGN_UP(strlen(p) + 1, 4);
        } else if (token == END_NODE && depth >= 0) {
            visit(path, depth--);
        } else if (token == PROP && depth >= 0) {
            struct node *n = &path[depth];
            struct prop prop = {strings + be32(p + 4), p + 8, be32(p)};
            p += 8 + ALIGN_UP(prop.len, 4);
            if (n->nprops == PROPS_MAX) { panic("device tree: %s has too many properties", n->name); }
            n->props[n->nprops++] = prop;
        }
    }
}

void fdt_read(const void *dtb, u64 dtb_pa) {
    const char *d = dtb;
    if (be32(d) != 0xd00dfeed) { panic("no device tree at %lx: magic %x", dtb_pa, be32(d)); }
    u32 total = be32(d + 4), structure = be32(d + 8), strings = be32(d + 12);
    walk(d + structure, d + total, d + strings);
    for (const char *p = d + be32(d + 16); cells(p + 8, 2); p += 16) {  // the memory reservation block
        add_range(machine.reserved, &machine.nreserved, cells(p, 2), cells(p + 8, 2));
    }
    add_range(machine.reserved, &machine.nreserved, dtb_pa, total);
    if (!machine.nmemory || !machine.nharts || !machine.timebase) {
        panic("device tree: %u memory ranges, %u harts, timebase %lu", machine.nmemory,
              machine.nharts, machine.timebase);
    }
}

// Decimal; anything else ends it.
static u64 parse_number(const char *p) {
    u64 v = 0;
    while (*p >= '0' && *p <= '9') { v = v * 10 + *p++ - '0'; }
    return v;
}

bool fdt_bootarg(const char *word, u64 *number) {
    for (const char *p = machine.bootargs; *p && strncmp(p, "-- ", 3); p += *p == ' ') {
        if (strncmp(p, word, strlen(word)) == 0) {
            if (number) { *number = parse_number(p + strlen(word)); }
            return true;
        }
        p += strcspn(p, " ");
    }
    return false;
}
