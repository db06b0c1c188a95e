#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turn `nm -n` of the first link (standard input) into the symbol table for the second: functions, and with
--data variables, too, for tools that speak of addresses."""
import re
import sys

BASE = 0xFFFFFFFF80000000
KINDS = "tTdDbBrR" if "--data" in sys.argv else "tT"
offsets, names, text = [], [], ""
for line in sys.stdin:
    value, kind, name = line.split()[:3]
    if kind in KINDS and not name.startswith((".L", "$")):
        offsets.append(int(value, 16) - BASE)
        names.append(len(text))
        text += (name if kind in "tT" else re.sub(r"\.\d+$", "", name)) + "\0"  # a static local is last.0 to the linker
print('.section .symbols, "a"\n.balign 4')
print(f".globl symbol_count, symbol_offsets, symbol_names, symbol_text\nsymbol_count: .word {len(offsets)}")
for label, words in (("symbol_offsets", offsets), ("symbol_names", names)):
    print(f"{label}:")
    for i in range(0, len(words), 16):
        print("    .word " + ",".join(map(str, words[i:i + 16])))
print("symbol_text:")
for name in text.split("\0")[:-1]:
    print(f'    .asciz "{name}"')
