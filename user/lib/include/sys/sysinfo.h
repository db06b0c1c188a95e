// SPDX-License-Identifier: MIT
// sys/sysinfo.h - uptime, memory, number of processes; laid out as Linux/riscv64's.
#pragma once

struct sysinfo {
    long uptime;
    unsigned long loads[3];
    unsigned long totalram;
    unsigned long freeram;
    unsigned long sharedram;
    unsigned long bufferram;
    unsigned long totalswap;
    unsigned long freeswap;
    unsigned short procs;
    unsigned short pad;
    unsigned long totalhigh;
    unsigned long freehigh;
    unsigned int mem_unit;
};

_Static_assert(sizeof(struct sysinfo) == 112, "struct sysinfo is part of the interface");

int sysinfo(struct sysinfo *info);
