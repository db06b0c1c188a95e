# SPDX-License-Identifier: MIT
"""emitted.py - which lr, sc, amo and fence instructions the compiler has made of the kernel's atomics.

Checks     No sc acquires without releasing: what GCC 12 makes of an acq_rel compare-exchange has lost its
           release. (Of "release" it makes a bare lr and sc, as of "relaxed": that only the table sees.)
           The functions of EXPECTED have exactly these instructions, in the order of the code. Another
           compiler may place or spell them otherwise: look at each, then change the table.
           No atomic is a call of the library.
           A trap writes no satp and fences nothing: the kernel's half of the map is the same in every space,
           so neither is in the objects of TRAP_PATH. (Reading satp is no harm. What a call then does, in an
           object of its own, is its affair.)
Objects    our own, before they are linked. Left out by that: picolibc's <ungetc>, the one with sc.w.aq. It
           is right, since a fence stands before its lr (all orders seq_cst), and nobody calls it:
           PICOLIBC_INTEGER_PRINTF_SCANF names the integer vfscanf for the linker, too, which brings it along.
PROBE      what is inline everywhere, compiled by itself as the kernel is.
"""
import re
import subprocess
import tempfile

OTHERS = ["cas-check", "freelock", "freelock-check", "biglock", "biglock-check"]  # as far as they are built
OBJDUMP = "riscv64-unknown-elf-objdump"
FILE = re.compile(r"(\S+)\.o:\s+file format")
LABEL = re.compile(r"^[0-9a-f]+ <([A-Za-z_]\w*)[^>]*>:")  # not the compiler's own: .L7
INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\s+((?:lr|sc)\.[wd]\S*|amo\S+|s?fence\S*)[ \t]*([^#\n]*)")
LIBRARY = re.compile(r"\b(__atomic_\w+|__sync_\w+)")
TRAP_PATH = ["riscv/trap.S.o", "trap.o", "syscall/dispatch.o"]
TRANSLATION = re.compile(r"^\s*[0-9a-f]+:\s+(s[a-z]*\.vma\S*\b.*|csrr?[wsc]i?\s.*\bsatp\b.*)")

# "fence" alone: everything before, everything behind. ">" is fence iorw,ow, the compiler's release.
EXPECTED = {
    "as: as_destroy": "fence amoswap.w.aq > amoswap.w",  # the list of spaces
    "as: as_put": "> amoadd.w fence",
    "asid: as_switch": "amoor.d fence fence fence.i > amoand.d sfence.vma",  # bit; generation; only without ASIDs
    "boot: hart_online": "> amoadd.w",
    "fault: break_shared": "amoswap.d > amoswap.d",  # with the shootdown and the release as calls
    "pagetable: pt_release": "> amoadd.w fence",
    "file: fd_table_shared": "fence",
    "file: file_put": "> amoadd.w fence",
    "region: region_put": "> amoadd.w fence",
    "region: region_replace": "> amoswap.d",
    "fork: as_fork": "lr.w.aq sc.w lr.w.aq sc.w > amoswap.w > amoswap.w lr.w.aq sc.w",  # mutex, root's lock; mutex
    "frame: own": "> amoswap.w",
    "freelist_hart: depot_pop": "amoswap.w.aq > amoswap.w",
    "freelist_hart: freelist_give": "> amoswap.w > amoswap.d",  # slot, epoch
    "freelist_hart: freelist_take": "amoswap.w.aq",
    "freelist_hart: spill": "amoswap.d fence amoswap.w.aq > amoswap.d",  # odd epoch, slot, even epoch
    "kvm: kvm_stack_entry": "> amoswap.d",
    "mutex: mutex_wait": "amoswap.w.aq",
    "pagetable: let_go": "> amoadd.w > amoswap.w fence > amoswap.w",  # frame_put, the lock
    "pagetable: pt_set": "> amoswap.d",
    "pipe: pipe_close": "lr.w.aq sc.w > amoswap.w > amoadd.w fence amoadd.d > amoadd.w fence",  # mutex, ends, put
    "thread: thread_kill": "amoor.w fence",
    "runq: runq_add": "amoswap.w.aq > amoswap.w fence",
    "runq: runq_wait": "amoor.d amoswap.w fence amoswap.w amoand.d",
    "sched: finish": "lr.w.aq sc.w.rl amoswap.w amoor.w",
    "sched: park_killed": "fence",
    "sched: sched_user_work": "amoswap.w.aq fence",
    "sched: unpark": "fence lr.w.aq sc.w.rl lr.w.aq sc.w.rl",
    "spin: spin_wait": "amoswap.w.aq",
    "sys_proc: set_affinity": "> amoor.w",
    "tlb: tlb_fence_text": "fence.i fence fence",
    "tlb: shoot": "amoswap.w > amoor.d fence",
    "tlb: tlb_serve": "amoswap.d.aq fence.i > amoadd.w",
    "tlb: tlb_shootdown": "> amoadd.d fence fence",
    "tlb: tlb_shootdown_kernel": "fence",
    "virtio: virtio_acknowledge": "fence",
    "virtio: virtio_ring": "fence",
    "virtio: virtio_submit": "> amoswap.w",
    "virtio: virtio_take": "fence",
    "waitq: waitq_add": "amoswap.w.aq > amoswap.w",
    "probe: cas_acq_rel": "lr.w.aq sc.w.rl",
    "probe: cas_acquire": "lr.w.aq sc.w",
    "probe: cas_relaxed": "lr.w sc.w",
    "probe: cas_release": "lr.w sc.w.rl",
    "probe: cas64_acq_rel": "lr.d.aq sc.d.rl",
    "probe: get_unless_free": "lr.w.aq sc.w",
    "probe: lock": "lr.w.aq sc.w",
    "probe: put": "> amoadd.w fence",
    "probe: sole": "fence",
    "probe: spin": "amoswap.w.aq",
    "probe: spin_end": "> amoswap.w",
    "probe: swap_acq_rel": "> amoswap.w.aq",
    "probe: unlock": "> amoswap.w",
}

PROBE = """
#include "mm/refs.h"
#include "sync/mutex.h"
bool put(frame_t f) { return frame_put(f); }
bool get_unless_free(frame_t f) { return frame_get_unless_free(f); }
bool sole(frame_t f) { return frame_sole(f); }
void lock(struct mutex *m) { mutex_lock(m); }
void unlock(struct mutex *m) { mutex_unlock(m); }
void spin(struct spin *l) { spin_lock(l); }
void spin_end(struct spin *l) { spin_unlock(l); }
bool cas_relaxed(u32 *p) { return atomic_cas32_relaxed(p, 1, 2); }
bool cas_acquire(u32 *p) { return atomic_cas32_acquire(p, 1, 2); }
bool cas_release(u32 *p) { return atomic_cas32_release(p, 1, 2); }
bool cas_acq_rel(u32 *p) { return atomic_cas32_acq_rel(p, 1, 2); }
bool cas64_acq_rel(u64 *p) { return atomic_cas64_acq_rel(p, 1, 2); }
u32 swap_acq_rel(u32 *p) { return atomic_swap_acq_rel(p, 1u); }
"""


def sequences(text):
    """"file: function" -> its ordering instructions, in the order of the code, of what `objdump -d` says."""
    found, now, file = {}, None, ""
    for line in text.splitlines():
        if begin := FILE.match(line):
            file = begin.group(1).split("/")[-1]
        elif label := LABEL.match(line):
            now = found.setdefault(f"{file}: {label.group(1)}", [])
        elif (hit := INSTRUCTION.match(line)) and now is not None:
            name, operands = hit.group(1), hit.group(2).strip()
            now.append(f"fence {operands}" if name == "fence" and operands else name)
    return found


def short(sequence):
    return " ".join(">" if step == "fence iorw,ow" else step for step in sequence)


def lost_releases(found):
    """Functions with an sc that acquires and does not release."""
    return [f"{name}: {short(steps)}" for name, steps in found.items()
            if any(re.fullmatch(r"sc\.[wd]\.aq", step) for step in steps)]


def unexpected(found, table):
    return [f"{name}: {short(found[name]) if name in found else 'is not there'}; expected: {want}"
            for name, want in table.items() if name not in found or short(found[name]) != want]


def translation(text):
    """["function: instruction"] of all that write satp or fence translations."""
    found, now = [], "?"
    for line in text.splitlines():
        if label := LABEL.match(line):
            now = label.group(1)
        elif hit := TRANSLATION.match(line):
            found.append(f"{now}: {' '.join(hit.group(1).split())}")
    return found


def trap_path(folder):
    """(what is wrong on the way into a kernel and out of it, how many instructions have been looked at)"""
    objects = [folder / name for name in TRAP_PATH]
    gone = [f"{path} is not there" for path in objects if not path.exists()]
    text = "" if gone else disassemble(objects)
    return gone + translation(text), len(re.findall(r"^\s+[0-9a-f]+:\t[a-z]", text, re.M))


def disassemble(objects):
    return subprocess.run([OBJDUMP, "-dr", "--no-show-raw-insn", *map(str, objects)], capture_output=True, text=True,
                          check=True).stdout


def probe(compiler, root):
    """objdump's text of PROBE, by this command line."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*compiler, "-xc", "-c", "-", "-o", f"{folder}/probe.o"], cwd=root, input=PROBE, text=True,
                       check=True)
        return disassemble([f"{folder}/probe.o"])


def check(root, compiler):
    """(what is wrong, how many functions have such instructions), of out/cas; the other builds: no lost release."""
    text = disassemble(sorted((root / "out" / "cas").rglob("*.o"))) + probe(compiler, root)
    found = sequences(text)
    bad = lost_releases(found) + unexpected(found, EXPECTED) + sorted(set(LIBRARY.findall(text)))
    for name in OTHERS:
        objects = sorted((root / "out" / name).rglob("*.o"))
        bad += [f"{name}: {line}" for line in lost_releases(sequences(disassemble(objects)) if objects else {})]
    return bad, sum(1 for steps in found.values() if steps)
