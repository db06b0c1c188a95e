// SPDX-License-Identifier: MIT
// lockdep_rows.h - the cases of lockdep.c: what must be reported, and as carefully what must not.
//
// Model      A case is a short program of locks; each letter is a class of its own. A row runs once
//            for each word of `kinds`, which says what A, B, ... are: s spinlock, i spinlock with
//            interrupts off, m mutex. (The last letter stands for all that follow.)
//              A..H  take    a..h  release    ~A  try    2A  another lock of A's class
//              - +   interrupts off, on       ( )  a handler comes, goes
//              p     parks   y  yields        ?A  may take A    u  to user mode
//              *     waits for other harts (told only)    !  shoots down their TLBs
//              x     somebody else has A               nA  initialise
//              r     ranks: A outermost       o O  A is declared: interrupts off, on
//              l L   a low, a high bound for holding A         w  wait for long
#pragma once
#include "sync/lockdep.h"

#define SILENT 0
#define P(name) (1u << LOCKDEP_##name)

static const struct {
    const char *name, *kinds, *run;
    u32 want;
} rows[] = {
    // what one lock can do wrong, and right
    {"again", "s i m", "AA", P(AA)},
    {"again, after release", "s i m", "AaAa", SILENT},
    {"another of its class", "s i m", "A2A", P(SAME)},
    {"another of its class, tried", "s i", "A~2A2aa", SILENT},
    {"release of a free one", "s i m", "a", P(FREE)},
    {"release twice", "s i m", "Aaa", P(FREE)},
    {"release of somebody else's", "s i m", "xa", P(OWNER)},
    {"release by a handler", "s", "A(a", P(OWNER)},
    {"initialised while held", "s i m", "AnA", P(INIT)},
    {"initialised when free", "s i m", "AanAAa", SILENT},
    {"as many as there is room for", "s", "-ABCDEFGH~2A~2B~2C~2D~2E~2F~2G~2H", SILENT},
    {"one more", "s", "-ABCDEFGH~2A~2B~2C~2D~2E~2F~2G~2HA", P(AA) | P(SAME) | P(CYCLE) | P(MANY)},
    // cycles of two, three, four
    {"AB BA", "s i m si is", "ABbaBA", P(CYCLE)},
    {"AB BA, a thing between", "s i m", "ABbaACcaBA", P(CYCLE)},
    {"AB BC CA", "s i m sis", "ABbaBCcbCA", P(CYCLE)},
    {"ABC CA", "s i m", "ABCcbaCA", P(CYCLE)},
    {"ABC BA", "s i m", "ABCcbaBA", P(CYCLE)},
    {"AB BC CD DA", "s i m sisi", "ABbaBCcbCDdcDA", P(CYCLE)},
    {"AB CD BC DA", "s i m", "ABbaCDdcBCcbDA", P(CYCLE)},
    {"AB CD DA BC", "s i m", "ABbaCDdcDAadBC", P(CYCLE)},
    {"AB CD BD DA", "s i m", "ABbaCDdcBDdbDA", P(CYCLE)},
    {"AB BC CD DB", "s i m", "ABbaBCcbCDdcDB", P(CYCLE)},
    {"AB AB", "s i m si is ms mi", "ABbaABba", SILENT},
    {"AB BC AC", "s i m mms mss msi", "ABbaBCcbACca", SILENT},
    {"AB BC CD AD", "s i m mmss", "ABbaBCcbCDdcADda", SILENT},
    {"AB AC DB DC", "s i m", "ABbaACcaDBbdDCcd", SILENT},
    {"ABCDEFGH AH", "s i m mmmms", "ABCDEFGHhgfedcbaAHha", SILENT},
    {"ABC, released in that order", "s m", "ABCabcABab", SILENT},
    {"hand over hand", "s m", "ABaCbDcEded", P(FREE)},
    {"hand over hand, once", "s m", "ABaCbDcd", SILENT},
    // trylock: does not wait, but is held
    {"AB, then B tries A", "s i", "ABbaB~Aab", SILENT},
    {"tries AB, then BA", "s i", "~A~BbaBAab", SILENT},
    {"tried A with B inside, then BA", "s i", "~ABbaBA", P(CYCLE)},
    {"tried B with C inside: AB CA", "s i", "ABba~BCcbCA", P(CYCLE)},
    // ranks
    {"ranks: BA", "s i m", "rBA", P(RANK)},
    {"ranks: ACB", "s i m", "rACB", P(RANK)},
    {"ranks: BA, tried B", "s i", "r~BA", P(RANK)},
    {"ranks: AB AC ABC", "s i m mms", "rABbaACcaABCcba", SILENT},
    {"ranks: B tries A", "s i", "rB~Aab", SILENT},
    // handlers: A taken in one, B held with interrupts on
    {"handler, then on", "s", "(Aa)Aa", P(IRQ)},
    {"on, then handler", "s", "Aa(Aa)", P(IRQ)},
    {"handler, then tried on", "s", "(Aa)~Aa", P(IRQ)},
    {"handler, then on before release", "s", "(Aa)-A+a", P(IRQ)},
    {"handler takes what it interrupts", "s", "A(A", P(IRQ)},
    {"handler takes what it interrupts, off", "s", "-A+(A", P(IRQ)},
    {"on, and a handler tries", "s", "Aa(~Aa)", SILENT},
    {"handler, and off", "s i", "(Aa)-Aa+", SILENT},
    {"off, and handler", "s i", "-Aa+(Aa)", SILENT},
    {"handler of another lock", "s i ms", "A(Bb)a", SILENT},
    {"handler leaves with a lock", "s", "(A)", P(LEAVE)},
    {"handler BA, else AB", "s", "-ABba+(BA", P(CYCLE)},
    {"handler AB, else AB", "s i", "-ABba+(ABba)", SILENT},
    {"handler A, on B, A leads to B: 123", "s", "(Aa)Bb-AB", P(IRQ)},
    {"handler A, on B, A leads to B: 132", "s", "(Aa)-ABba+B", P(IRQ)},
    {"handler A, on B, A leads to B: 213", "s", "Bb(Aa)-AB", P(IRQ)},
    {"handler A, on B, A leads to B: 231", "s", "Bb-ABba+(A", P(IRQ)},
    {"handler A, on B, A leads to B: 312", "s", "-ABba+(Aa)B", P(IRQ)},
    {"handler A, on B, A leads to B: 321", "s", "-ABba+Bb(A", P(IRQ)},
    {"handler A, on C, A to B to C: 123", "s", "(Aa)Cc-ABba+-BC", P(IRQ)},
    {"handler A, on C, A to B to C: 321", "s", "-BCcb+-ABba+Cc(A", P(IRQ)},
    {"handler A, on C, A to B to C: 132", "s", "(Aa)-ABbaBCcb+C", P(IRQ)},
    {"handler A interrupts B, A leads to B", "s", "B(Aa)b-AB", P(IRQ)},
    {"handler A, on B, B leads to A: 123", "s si", "(Aa)BbB-Aa+b", SILENT},
    {"handler A, on B, B leads to A: 132", "s si", "(Aa)B-Aa+bBb", SILENT},
    {"handler A, on B, B leads to A: 213", "s si", "Bb(Aa)B-Aa+b", SILENT},
    {"handler A, on B, B leads to A: 231", "s si", "BbB-Aa+b(Aa)", SILENT},
    {"handler A, on B, B leads to A: 312", "s si", "B-Aa+b(Aa)Bb", SILENT},
    {"handler A, on B, B leads to A: 321", "s si", "B-Aa+bBb(Aa)", SILENT},
    {"declared off, taken on", "s", "oA", P(DECLARED)},
    {"declared off, taken off", "i", "oAa(Aa)", SILENT},
    {"declared on, taken in a handler", "s", "O(A", P(DECLARED)},
    {"declared on, taken on", "s", "OAa", SILENT},
    // sleeping
    {"parks", "s i", "Ap", P(SLEEP)},
    {"parks, tried", "s i", "~Ap", P(SLEEP)},
    {"parks after release", "s i m", "Aap", SILENT},
    {"parks with a mutex", "m", "Apa", SILENT},
    {"yields with a mutex", "m", "Ayya", SILENT},
    {"yields after release", "s i m", "Aay", SILENT},
    {"mutex inside", "sm im", "AB", P(SLEEP)},
    {"mutex inside what was tried", "sm im", "~AB", P(SLEEP)},
    {"mutex outside", "ms mi", "ABbaAa", SILENT},
    {"perhaps a mutex inside", "sm im", "A?B", P(SLEEP)},
    {"perhaps itself", "m", "A?A", P(SAME)},
    {"perhaps against the order", "m", "ABbaB?A", P(CYCLE)},
    {"perhaps in order", "m", "A?BaABba", SILENT},
    {"handler takes a mutex", "m", "(A", P(HANDLER)},
    {"handler perhaps takes a mutex", "m", "(?A", P(HANDLER)},
    {"handler parks", "s", "(p", P(HANDLER)},
    // leaving
    {"to user mode with one", "s i m", "Au", P(LEAVE)},
    {"to user mode with one of two", "s i m", "ABbu", P(LEAVE)},
    {"to user mode with none", "s i m", "ABbau", SILENT},
    // waiting for other harts
    {"taken off, waits with it", "s", "-Aa+A*", P(IPI)},
    {"waits with it, taken off", "s", "A*a-A", P(IPI)},
    {"handler, waits with it", "s", "(Aa)-A*", P(IPI)},
    {"waits with it, off", "i", "A*", P(IPI)},
    {"waits with B, A is taken off and leads to B", "s", "-A+BbaB*", P(IPI)},
    {"A is taken off and leads to B, waits with B", "s", "B*b-A+B", P(IPI)},
    {"waits with one that is always on", "s m", "A*aAa", SILENT},
    {"waits with a mutex, spinlocks done", "ms mi", "ABb*a", SILENT},
    {"shoots down with a mutex", "m", "A!aA!a", SILENT},
    // for too long
    {"for too long", "s i", "lAwa", P(LONG)},
    {"for long, which is allowed", "s i", "LAwa", SILENT},
    {"for long, a mutex", "m", "lAwa", SILENT},
};
