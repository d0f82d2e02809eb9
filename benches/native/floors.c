/* Floors that need no socket: the gate's check, a busy reader of the page, a raw durable append.
 *
 *   floors gate PAGE ROUNDS            ns per check, one line per round of 100,000
 *   floors watch PAGE COUNT OUT        u64 CLOCK_MONOTONIC ns of each change, 0: missed
 *   floors store PAGE COUNT OUT        u64 CLOCK_MONOTONIC ns before each change that it makes itself
 *   floors append FILE COUNT ROOM      ns of each O_DSYNC write of 256 bytes; ROOM preallocated
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096, WORD_STATE = 8, WORD_BEAT = 9, WORD_LEASE = 5, WORD_MANUAL = 16 };
enum { CHECKS = 100000, ACTIVE = 2 };

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A change each 200 us, as in suites/page.py. */
enum { PERIOD_NS = 200000, SEQ_SHIFT = 32 };

static volatile uint64_t *map_page(const char *path, int is_writer) {
    int descriptor = open(path, (is_writer ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    int access = is_writer ? PROT_READ | PROT_WRITE : PROT_READ;
    void *page = mmap(NULL, PAGE_BYTES, access, MAP_SHARED, descriptor, 0);
    if (descriptor < 0 || page == MAP_FAILED) { perror(path); exit(3); }
    return page;
}

static int is_open(const volatile uint64_t *words) {
    uint64_t state = words[WORD_STATE], beat = words[WORD_BEAT], manual = words[WORD_MANUAL];
    uint64_t age = clock_ns(CLOCK_BOOTTIME) - beat;
    return (state & 0xff) == ACTIVE && manual == 0 && age < words[WORD_LEASE];
}

static int gate(const char *path, long rounds) {
    const volatile uint64_t *words = map_page(path, 0);
    uint64_t opened = 0;
    for (long round = 0; round < rounds; round++) {
        uint64_t begun = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < CHECKS; i++) opened += (uint64_t)is_open(words);
        printf("%.3f\n", (double)(clock_ns(CLOCK_MONOTONIC) - begun) / CHECKS);
    }
    fprintf(stderr, "%llu open\n", (unsigned long long)opened);
    return 0;
}

static int watch(const char *path, long count, const char *out) {
    const volatile uint64_t *words = map_page(path, 0);
    uint64_t *seen = calloc((size_t)count, sizeof *seen);
    uint64_t last = words[WORD_STATE], first = last >> SEQ_SHIFT, number = 0;
    puts("ready");
    fflush(stdout);
    while (number < (uint64_t)count) {
        uint64_t word = words[WORD_STATE];
        if (word == last) continue;
        /* A reader that was not running misses changes: the sequence number says which this is. */
        number = (word >> SEQ_SHIFT) - first;
        if (number >= 1 && number <= (uint64_t)count) seen[number - 1] = clock_ns(CLOCK_MONOTONIC);
        last = word;
    }
    FILE *file = fopen(out, "wb");
    if (file == NULL) { perror(out); return 3; }
    fwrite(seen, sizeof *seen, (size_t)count, file);
    return fclose(file);
}

/* What the machine itself takes: the store and nothing before it. */
static int store(const char *path, long count, const char *out) {
    volatile uint64_t *words = map_page(path, 1);
    uint64_t *begun = calloc((size_t)count, sizeof *begun);
    uint64_t word = words[WORD_STATE];
    for (long i = 0; i < count; i++) {
        uint64_t due = clock_ns(CLOCK_MONOTONIC) + PERIOD_NS;
        while (clock_ns(CLOCK_MONOTONIC) < due) {}
        word += (uint64_t)1 << SEQ_SHIFT;
        begun[i] = clock_ns(CLOCK_MONOTONIC);
        __atomic_store_n(&words[WORD_STATE], word, __ATOMIC_RELEASE);
    }
    FILE *file = fopen(out, "wb");
    if (file == NULL) { perror(out); return 3; }
    fwrite(begun, sizeof *begun, (size_t)count, file);
    return fclose(file);
}

static int append(const char *path, long count, off_t room) {
    static char line[256];
    memset(line, 'x', sizeof line);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC | O_CLOEXEC, 0600);
    if (descriptor < 0) { perror(path); return 3; }
    if (room > 0 && posix_fallocate(descriptor, 0, room) != 0) return 3;
    for (long i = 0; i < count; i++) {
        uint64_t begun = clock_ns(CLOCK_MONOTONIC);
        if (pwrite(descriptor, line, sizeof line, i * (off_t)sizeof line) != sizeof line) return 3;
        printf("%llu\n", (unsigned long long)(clock_ns(CLOCK_MONOTONIC) - begun));
    }
    return close(descriptor);
}

int main(int count, char **args) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (count == 4 && strcmp(args[1], "gate") == 0) return gate(args[2], atol(args[3]));
    if (count == 5 && strcmp(args[1], "watch") == 0) return watch(args[2], atol(args[3]), args[4]);
    if (count == 5 && strcmp(args[1], "store") == 0) return store(args[2], atol(args[3]), args[4]);
    if (count == 5 && strcmp(args[1], "append") == 0)
        return append(args[2], atol(args[3]), (off_t)atol(args[4]));
    fputs("usage: floors gate|watch|store|append ...\n", stderr);
    return 2;
}
