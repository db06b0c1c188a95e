// SPDX-License-Identifier: MIT
// ghost_rows.h - the cases of ghost.c: what must be reported, and as carefully what must not.
//
// Model      Each letter is a step, by one of two harts. P and Q are neighbouring pages of space A.
//              1 2      this hart acts (at first: 1)
//              3 4      it means ASID 1, 2 (at first: 1)
//              A B K    its satp gets the root of A, of B, and that ASID; of the kernel, and 0. No fence
//              p q s    it fences P, Q, all of that ASID      j a i  P of all ASIDs; all; text
//              m x      P gets a new page of data, of text        w  P: W <-> COW
//              h        the root's entry for P: OWNED <-> SHARED
//              z f      P's entry is cleared; its page is freed   t T  the same with its table
//              y        P's page is freed while it is mapped (told only)
//              o        P's page goes to a device (told only)
//              F U      fork ends; the hart enters user mode
//              r d c v D   mm's own fork of A, end of the child, write to P, unmap of P, end of A
//              M P S R  kernel stacks: make some; fence the last; use it; free all
#include "sync/ghost.h"

#define SILENT 0
#define G(name) (1u << GHOST_##name)
#define END_OF_SPACE (G(LEAF) | G(TABLE) | G(ROOT))

static const struct {
    const char *name, *run;
    u32 want;
} rows[] = {
    // a page is freed
    {"free without a fence", "mAszf", G(LEAF)},
    {"free after a fence of the page", "mAszpf", SILENT},
    {"free after a fence of the next page", "mAszqf", G(LEAF)},
    {"free after a fence of the space", "mAszsf", SILENT},
    {"free after a fence of all", "mAszaf", SILENT},
    {"fence, change, free", "mAspzf", G(LEAF)},
    {"fence after the free", "mAszfp", G(LEAF)},
    {"another hart does not fence", "mAs2As1zpf", G(LEAF)},
    {"both harts fence", "mAs2As1zp2p1f", SILENT},
    {"free of what nobody could see", "mzf", SILENT},
    {"the hart comes after the change", "mzAsf", SILENT},
    {"the hart has left with a fence", "mAsKszf", SILENT},
    {"the hart has left without", "mAsKzf", SILENT},
    {"fence of the page, of another ASID", "mAsz4pf", G(LEAF)},
    {"fence of the space, of another ASID", "mAsz4sf", G(LEAF)},
    {"fence of the page, of all ASIDs", "mAsz4jf", SILENT},
    {"the hart comes, goes, and comes again", "mAsKsAszsf", SILENT},
    {"a page is freed that is mapped", "my", G(MAPPED)},
    // a table is freed
    {"table after a fence of a page", "mAsztpfT", G(TABLE)},
    {"table after a fence of the space", "mAsztsfT", SILENT},
    {"table after a fence of all", "mAsztafT", SILENT},
    {"table freed before the fence", "mAszptTsf", G(TABLE)},
    {"table and page without a fence", "mAsztfT", G(LEAF) | G(TABLE)},
    // an address gets another page
    {"break without a fence", "mAswpzm", G(MAKE)},
    {"break, fence, make", "mAswpzpm", SILENT},
    {"fence, break, make", "mAswspzm", G(MAKE)},
    {"break, another hart does not fence", "mAs2As1wzpm", G(MAKE)},
    {"break, both fence", "mAs2As1wzp2p1m", SILENT},
    {"unmap and map without a fence", "mAszm", G(MAKE)},
    {"unmap, fence, map", "mAszpm", SILENT},
    {"break of what was left", "mAsKswzm", SILENT},
    {"break of what was left without a fence", "mAsKwzm", SILENT},
    {"a page where none was", "Asm", SILENT},
    // a page goes to a device
    {"a page goes out that may be written", "mAso", G(OUT)},
    {"a page goes out without a fence", "mAswo", G(OUT)},
    {"a page goes out, fenced", "mAswpo", SILENT},
    {"a page goes out, another page is fenced", "mAswqo", G(OUT)},
    {"a page goes out, another hart does not fence", "mAs2As1wpo", G(OUT)},
    {"a page goes out, another hart comes afterwards", "mAswp2As1o", SILENT},
    {"a page goes out that nobody could write", "xAso", SILENT},
    // fork
    {"fork without a fence", "mAshF", G(FORK)},
    {"fork, fence of the page", "mAshpF", G(FORK)},
    {"fork, fence of the space", "mAshsF", SILENT},
    {"fork, fence of another page", "mAshqF", G(FORK)},
    {"fork, another hart does not fence", "mAs2As1hsF", G(FORK)},
    {"fork, another hart has left with a fence", "mAs2AsKs1hsF", SILENT},
    {"fork, another hart has left without", "mAs2AsK1hsF", SILENT},
    {"fence before fork's change", "mAsshF", G(FORK)},
    {"fork, fence of all", "mAshaF", SILENT},
    {"fork of what is taken back, no fence", "mAshshF", SILENT},
    {"and forked again, no fence", "mAshshhF", G(FORK)},
    {"a page is freed in a table that is shared", "mAshszf", SILENT},
    {"a page is freed in a table that is shared, no fence", "mAshzf", G(LEAF)},
    {"a page is freed in a table that is taken back", "mAshshzf", G(LEAF)},
    {"another page in a table that is shared, no fence", "mAshzm", G(MAKE)},
    // spaces, text
    {"another space under one ASID without a fence", "AsBU", G(SPACE)},
    {"another space under one ASID", "AsBsU", SILENT},
    {"another space under its own ASID", "As4BU", SILENT},
    {"there and back under one ASID without a fence", "AsBAU", G(SPACE)},
    {"there and back, each under its own ASID", "As4B3AU", SILENT},
    {"an ASID is given to another space without a fence", "As4B3BU", G(SPACE)},
    {"an ASID is fenced, and given to another space", "As4B3sBU", SILENT},
    {"an ASID is given, the other one is fenced", "As4Bs3BU", G(SPACE)},
    {"by way of the kernel, no fence", "AsKBU", G(SPACE)},
    {"by way of the kernel", "AsKsBU", SILENT},
    {"text, then fence.i", "AsxiU", SILENT},
    {"fence.i, then text", "AsixU", G(TEXT)},
    {"text of old, its fence.i was long ago", "xAsiBsAsU", SILENT},
    {"text of old, no fence.i", "xAsU", G(TEXT)},
    {"text, another hart's fence.i", "Asx2i1U", G(TEXT)},
    {"text, both harts' fence.i", "A2A1xsi2siU1U", SILENT},
    {"data after fence.i", "AsimU", SILENT},
    // what changes while a hart is away
    {"away, a page goes, back without a fence", "mAsKzfAU", G(AWAY)},
    {"away, a page goes, back with a fence", "mAsKzfAsU", SILENT},
    {"away, a page goes, the ASID is fenced, back", "mAsKzfsAU", SILENT},
    {"away, a page goes, another ASID is fenced, back", "mAsKzf4s3AU", G(AWAY)},
    {"away, a page goes, a page is fenced, back", "mAsKzfpAU", G(AWAY)},
    {"away with a fence, a page goes, back", "mAsKszfAU", SILENT},
    {"away, a page is fenced, goes, back", "mAsKzpfAU", SILENT},
    {"away, back before the page has gone", "mAsKzApfU", SILENT},
    {"away, back before the page has gone, no fence", "mAsKzAf", G(LEAF)},
    {"away, a page comes, back without a fence", "AsKmAU", SILENT},
    {"away, another page is made, back without a fence", "mAsKwzmAU", G(AWAY)},
    {"away, fork, back without a fence", "mAsKhFAU", G(AWAY)},
    {"away, fork, back with a fence", "mAsKhFAsU", SILENT},
    {"away, the space ends, its ASID goes on without a fence", "mAsKDBU", G(AWAY)},
    {"away, the space ends, its ASID goes on with a fence", "mAsKDBsU", SILENT},
    {"away under one ASID, back under another", "mAsKzf4AU", SILENT},
    // what mm does while a hart holds the space that it does not know of, or has let it go
    {"mm: fork", "mAsr", G(FORK)},
    {"mm: fork of what nobody holds", "mr", SILENT},
    {"mm: copy", "mrAsc", G(MAKE)},
    {"mm: copy of what nobody holds", "mrc", SILENT},
    {"mm: copy, the hart comes afterwards", "mrcAsF", SILENT},
    {"mm: flip", "mrdAsc", SILENT},
    {"mm: unmap", "mAsv", G(LEAF)},
    {"mm: unmap of what was left", "mAsKsv", SILENT},
    {"mm: end of a space in use", "mAs2As1KsD", END_OF_SPACE},
    {"mm: end of a space left without a fence", "mAsKD", SILENT},
    {"mm: unmap of what was left without a fence, back", "mAsKvAU", G(AWAY)},
    {"mm: end of a space", "mAs2As1Ks2Ks1D", SILENT},
    // kernel stacks
    {"a new stack is used", "MS", G(STACK)},
    {"a new stack is fenced, used", "MPS", SILENT},
    {"a new stack, all fenced, used", "MaS", SILENT},
    {"a new stack, the space fenced, used", "MsS", G(STACK)},
    {"a new stack, fenced by the other hart, used", "M2P1S", G(STACK)},
    {"a new stack, fenced by both, used", "M2P1PS2S", SILENT},
    {"a stack of old is used", "MPKsS", SILENT},
    {"stacks are unmapped, a hart does not fence", "MR", G(LEAF)},
};
