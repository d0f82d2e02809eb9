/* A gate in C for the tests: `open PATH ACCOUNT` makes a new one, `check [SCOPE...]` prints its code. */
#define _GNU_SOURCE
#include "edgeguard_halt_page.h"

#include <stdlib.h>

static const char *const NAMES[] = {"OPEN", "HALTED", "PAUSED", "STARTING", "STALE",
                                    "MISSING", "HOLE", "WRONG_ACCOUNT", "SCOPE"};

int main(void) {
    static struct eg_gate gate;
    static char line[8192];
    gate.descriptor = -1;
    while (fgets(line, sizeof line, stdin) != NULL) {
        uint64_t scopes[8];
        size_t count = 0;
        char *verb = strtok(line, " \n"), *word;
        if (verb != NULL && strcmp(verb, "open") == 0) {
            char *path = strtok(NULL, " \n"), *account = strtok(NULL, " \n");
            eg_gate_detach(&gate);
            if (path == NULL || account == NULL) return 2;
            eg_gate_open(&gate, path, account);
            puts("opened");
        } else if (verb != NULL && strcmp(verb, "check") == 0) {
            while (count < 8 && (word = strtok(NULL, " \n")) != NULL) scopes[count++] = eg_hash_word(word);
            puts(NAMES[eg_gate_check(&gate, scopes, count)]);
        } else {
            return 2;
        }
        fflush(stdout);
    }
    eg_gate_detach(&gate);
    return 0;
}
