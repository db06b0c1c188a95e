// SPDX-License-Identifier: MIT
// table.h - the one table of system calls.
//
// Whoever includes this file first defines S0 .. S6 (the digit is the number of arguments) and gets
// one line per call: number, name, then (type, name) for each argument. Who defines S0(n, name, ...) alone
// gets all calls by that one. Numbers below 1000, argument order and the -errno convention are
// Linux/riscv64's. Numbers from 1000 are Kine's own (abi.h).
//
// Argument types: `uaddr` is a user address, the rest are C's. The kernel's dispatch table and its size,
// its prototypes, their names in backtraces, and the user stubs all come from here. To add a call, add a
// line and write sys_<name>().

#ifndef S1
#define S1 S0
#define S2 S0
#define S3 S0
#define S4 S0
#define S5 S0
#define S6 S0
#endif

S2(17, getcwd, uaddr, buf, usize, len)
S1(23, dup, int, fd)
S3(24, dup3, int, oldfd, int, newfd, int, flags)
S2(46, ftruncate, int, fd, long, size)
S1(49, chdir, uaddr, path)
S4(56, openat, int, dirfd, uaddr, path, int, flags, uint, mode)
S1(57, close, int, fd)
S2(59, pipe2, uaddr, fds, int, flags)
S3(61, getdents64, int, fd, uaddr, buf, usize, len)
S3(62, lseek, int, fd, long, off, int, whence)
S3(63, read, int, fd, uaddr, buf, usize, len)
S3(64, write, int, fd, uaddr, buf, usize, len)
S3(65, readv, int, fd, uaddr, iov, int, count)
S3(66, writev, int, fd, uaddr, iov, int, count)
S4(79, newfstatat, int, dirfd, uaddr, path, uaddr, st, int, flags)
S2(80, fstat, int, fd, uaddr, st)
S0(81, sync)
S1(82, fsync, int, fd)
S1(83, fdatasync, int, fd)
S1(93, exit, int, status)
S1(94, exit_group, int, status)
S1(96, set_tid_address, uaddr, word)
S6(98, futex, uaddr, word, int, op, uint, value, uaddr, timeout, uaddr, word2, uint, value3)
S2(101, nanosleep, uaddr, req, uaddr, rem)
S2(113, clock_gettime, int, clock, uaddr, ts)
S3(122, sched_setaffinity, int, tid, usize, len, uaddr, mask)
S3(123, sched_getaffinity, int, tid, usize, len, uaddr, mask)
S0(124, sched_yield)
S2(129, kill, int, pid, int, sig)
S2(130, tkill, int, tid, int, sig)
S3(131, tgkill, int, tgid, int, tid, int, sig)
S4(142, reboot, int, magic1, int, magic2, uint, cmd, uaddr, arg)
S1(160, uname, uaddr, buf)
S3(168, getcpu, uaddr, cpu, uaddr, node, uaddr, unused)
S0(172, getpid)
S0(173, getppid)
S0(178, gettid)
S1(179, sysinfo, uaddr, info)
S1(214, brk, uaddr, addr)
S2(215, munmap, uaddr, addr, usize, len)
S5(216, mremap, uaddr, old, usize, old_len, usize, len, int, flags, uaddr, to)
S5(220, clone, usize, flags, uaddr, stack, uaddr, ptid, usize, tls, uaddr, ctid)
S3(221, execve, uaddr, path, uaddr, argv, uaddr, envp)
S6(222, mmap, uaddr, addr, usize, len, int, prot, int, flags, int, fd, long, off)
S2(224, swapon, uaddr, path, int, flags)
S3(226, mprotect, uaddr, addr, usize, len, int, prot)
S3(233, madvise, uaddr, addr, usize, len, int, advice)
S4(260, wait4, int, pid, uaddr, status, int, options, uaddr, rusage)
S2(279, memfd_create, uaddr, name, uint, flags)

// Kine's own: see abi.h.
S2(1000, kine_audit, uaddr, report, usize, len)
S3(1001, kine_counters, int, hart, uaddr, out, usize, len)
S3(1002, kine_ctl, int, op, usize, a, usize, b)
S3(1003, kine_pagemap, uaddr, va, usize, n, uaddr, out)

#undef S0
#undef S1
#undef S2
#undef S3
#undef S4
#undef S5
#undef S6
