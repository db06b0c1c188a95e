// SPDX-License-Identifier: MIT
// crt0.c - from the first user instruction to main().
//
// Model   The kernel enters at _start with sp -> argc, argv.., NULL, envp.., NULL, auxv..  Three
//         instructions set gp and pass sp on; the rest is C. tp must point to the thread-local
//         block (picolibc keeps errno there) before any libc code runs.
// The linker script keeps the pristine image of .tdata apart from the block that the first thread
// uses, so that more threads can be given their own copy.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp);
void __libc_init_array(void);

extern const char __tls_image[], __tls_image_end[];
extern char __tls_block[];

__asm__(".section .text.start, \"ax\"\n"
        ".globl _start\n"
        "_start:\n"
        ".option push\n"
        ".option norelax\n"
        "    la gp, __global_pointer$\n"
        ".option pop\n"
        "    mv a0, sp\n"
        "    tail crt_start\n"
        ".previous\n");

// Set up thread-local storage and the environment, run main, leave.
__attribute__((noreturn, used)) static void crt_start(long *stack) {
    memcpy(__tls_block, __tls_image, (size_t)(__tls_image_end - __tls_image));
    __asm__ volatile("mv tp, %0" : : "r"(__tls_block));

    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    environ = argv + argc + 1;
    __libc_init_array();
    exit(main(argc, argv, environ));
}
