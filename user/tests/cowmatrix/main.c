// SPDX-License-Identifier: MIT
// main.c - run the copy-on-write matrix: one result for each pair of an action and a state.
//
// Each pair runs in a child of its own; after each action the frame audit must be exact and the
// frames back. `cowmatrix ACTION-NUMBER` runs one row.
#include "matrix.h"
#include <stdlib.h>

static const struct action *row;
static const struct state *column;
static bool disk;  // to swap to: without one, no page can be away

static __attribute__((noinline)) void run_pair(void) {
    char stack_pages[3 * PAGE];
    __asm__ volatile("" : : "r"(stack_pages) : "memory");
    row->run(column->make(stack_pages));
    release_relative();
}

static void run_pairs(const struct state *columns, int count) {
    for (int i = 0; i < count; i++) {
        column = &columns[i];
        const struct test pair = {row->name, run_pair, false};
        ktap_ok(run_one(&pair, false), "%s, pages %s", row->name, column->name);
    }
}

static void run_row(const struct action *action, bool kine) {
    row = action;
    if (kine) { open_books(); }
    run_pairs(states, state_count);
    run_pairs(files, file_count);
    run_pairs(tables, table_count);
    run_pairs(away, disk ? away_count : 0);
    checks_failed = 0;
    if (kine) { close_books(); }
    ktap_ok(checks_failed == 0, "%s, the books", action->name);
}

int main(int argc, char **argv) {
    const struct {
        const struct action *rows;
        int count;
    } parts[] = {{actions, action_count}, {orders, order_count}, {writers, writer_count},
                 {changes, change_count}, {transfers, transfer_count}};
    int only = argc > 1 ? atoi(argv[1]) : -1;
    disk = ksys_swapon("/dev/vda", 0) == 0;
    int total = 0, number = 0, columns = state_count + file_count + table_count + (disk ? away_count : 0);
    for (int part = 0; part < COUNT(parts); part++) { total += parts[part].count; }
    bool kine = have_kine();

    ktap_plan((only < 0 ? total : 1) * (columns + 1));
    status_of(nothing, NULL);
    for (int part = 0; part < COUNT(parts); part++) {
        for (int i = 0; i < parts[part].count; i++, number++) {
            if (only < 0 || only == number) { run_row(&parts[part].rows[i], kine); }
        }
    }
    return ktap_end();
}
