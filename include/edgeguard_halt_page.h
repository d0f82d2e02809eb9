/* EdgeGuard's halt page for C11: the layout, and a gate on it in one header without dependencies.
 *
 *     struct eg_gate gate;
 *     eg_gate_open(&gate, "/run/edgeguard/halt.A", "A");
 *     uint64_t eurusd = eg_hash_word("symbol:EURUSD");
 *     if (eg_gate_check(&gate, &eurusd, 1) == EG_OPEN) send_order();
 *
 * Exits, cancels and queries never ask. Whatever is unexpected reads as closed, and a halt that was
 * seen stays latched until the guard resumes that very halt, so keep one gate for as long as the
 * process lives. A gate belongs to one thread. docs/WIRE.md, section "Halt page", is the text to this;
 * the tests hold this reader, the one in Rust and the one in Python to one answer on random pages.
 *
 * Linux, little-endian, C11 atomics. Define _GNU_SOURCE (or _DEFAULT_SOURCE) before the first header.
 */
#ifndef EDGEGUARD_HALT_PAGE_H
#define EDGEGUARD_HALT_PAGE_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the halt page is little-endian, as every host that it was made for"
#endif
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a word of the page must be one lock-free load");

enum { EG_PAGE_BYTES = 4096, EG_RESUMED_MAX = 32, EG_SCOPES_MAX = 64, EG_STREAK_MIN = 3 };

/* Index of each word; the offset in bytes is eight times it. */
enum {
    EG_W_MAGIC = 0,
    EG_W_LAYOUT = 1,
    EG_W_BOOT = 2,    /* two words */
    EG_W_ACCOUNT = 4,
    EG_W_LEASE = 5,
    EG_W_STATE = 8,
    EG_W_BEAT = 9,
    EG_W_EPOCH = 10,
    EG_W_HALT = 11,
    EG_W_STREAK = 12,
    EG_W_MANUAL = 16,
    EG_W_ACCOUNT_TEXT = 24, /* eight words, as the next */
    EG_W_HALT_TEXT = 32,
    EG_W_RESUMED = 64,
    EG_W_SCOPES = 128       /* pairs of scope hash and state word */
};

#define EG_MAGIC UINT64_C(0x3144524745474445) /* the bytes EDGEGRD1 */
#define EG_LAYOUT (UINT64_C(1) | UINT64_C(4096) << 32)
#define EG_LEASE_NS_MAX UINT64_C(60000000000)
#define EG_BEAT_AHEAD_NS_MAX UINT64_C(1000000)
#define EG_WHOLE_NS UINT64_C(1000000)
#define EG_HALT_UNNAMED UINT64_MAX

/* The state word: state, severity, flatten and flags from the lowest byte on, changes in the high half. */
enum { EG_STATE_STARTING = 1, EG_STATE_ACTIVE = 2, EG_STATE_PAUSED = 3, EG_STATE_HALTED = 4 };
enum { EG_FLAG_HOLE = 1, EG_FLAG_NOT_DURABLE = 2, EG_FLAG_SCOPES = 4, EG_FLAG_OVERFLOW = 8 };

/* Why a gate is closed; EG_OPEN is the only permit. */
enum eg_code {
    EG_OPEN,
    EG_HALTED,
    EG_PAUSED,
    EG_STARTING,
    EG_STALE,
    EG_MISSING,
    EG_HOLE,
    EG_WRONG_ACCOUNT,
    EG_SCOPE
};

struct eg_gate {
    char path[4096];
    uint64_t account, boot[2];
    const _Atomic uint64_t *words; /* NULL: no page */
    int descriptor;
    uint64_t whole_until_ns;
    uint64_t halt, manual; /* what is latched, 0 for none */
    uint64_t scopes_latched[EG_SCOPES_MAX];
    unsigned scopes_latched_count;
};

static inline uint64_t eg_load(const struct eg_gate *gate, unsigned index) {
    return atomic_load_explicit(&gate->words[index], memory_order_acquire);
}

static inline uint64_t eg_boot_ns(void) {
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Returns the word that stands for an id or a scope ("symbol:NAME", "strategy:NAME"): the first eight
 * bytes of its sha256, little-endian, never 0. It costs a hash: keep the answer. */
static inline uint64_t eg_hash_word(const char *text) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const size_t length = strlen(text), blocks = (length + 9 + 63) / 64;
#define EG_ROTATE(x, n) ((x) >> (n) | (x) << (32 - (n)))
    for (size_t block = 0; block < blocks; block++) {
        uint32_t w[64] = {0};
        for (size_t i = 0; i < 64; i++) {
            size_t at = block * 64 + i;
            uint32_t byte = at < length ? (unsigned char)text[at] : at == length ? 0x80 : 0;
            if (block == blocks - 1 && i >= 56)
                byte = (uint32_t)((uint64_t)length * 8 >> (8 * (63 - i)) & 0xff);
            w[i / 4] |= byte << (8 * (3 - i % 4));
        }
        for (size_t i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (EG_ROTATE(a, 7) ^ EG_ROTATE(a, 18) ^ a >> 3) +
                   (EG_ROTATE(b, 17) ^ EG_ROTATE(b, 19) ^ b >> 10);
        }
        uint32_t v[8];
        memcpy(v, h, sizeof v);
        for (size_t i = 0; i < 64; i++) {
            uint32_t e = v[4], a = v[0];
            uint32_t one = v[7] + (EG_ROTATE(e, 6) ^ EG_ROTATE(e, 11) ^ EG_ROTATE(e, 25)) +
                           ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
            uint32_t two = (EG_ROTATE(a, 2) ^ EG_ROTATE(a, 13) ^ EG_ROTATE(a, 22)) +
                           ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += one;
            v[0] = one + two;
        }
        for (size_t i = 0; i < 8; i++) h[i] += v[i];
    }
#undef EG_ROTATE
    uint64_t word = (uint64_t)__builtin_bswap32(h[1]) << 32 | __builtin_bswap32(h[0]);
    return word == 0 ? 1 : word;
}

/* Reads the host's boot id into two words; zeroes where the host tells none. */
static inline void eg_boot_id(uint64_t boot[2]) {
    unsigned char bytes[16] = {0};
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    int byte, digits = 0;
    while (file != NULL && digits < 32 && (byte = fgetc(file)) != EOF) {
        int value = byte >= '0' && byte <= '9' ? byte - '0' : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
        if (value < 0) continue;
        bytes[digits / 2] = (unsigned char)(bytes[digits / 2] << 4 | value);
        digits++;
    }
    if (file != NULL) fclose(file);
    memcpy(boot, bytes, sizeof bytes);
}

/* Makes a gate on `RUN_DIR/halt.<account>`, which need not exist yet. It is closed until proven open. */
static inline void eg_gate_open(struct eg_gate *gate, const char *path, const char *account) {
    memset(gate, 0, sizeof *gate);
    gate->descriptor = -1;
    /* A path that is cut names nothing, and nothing is MISSING. */
    if (strlen(path) < sizeof gate->path) strcpy(gate->path, path);
    gate->account = eg_hash_word(account);
    eg_boot_id(gate->boot);
}

/* Lets go of the page; the latch stays, and the next check looks for the page again. */
static inline void eg_gate_detach(struct eg_gate *gate) {
    if (gate->words != NULL) munmap((void *)(uintptr_t)gate->words, EG_PAGE_BYTES);
    if (gate->descriptor >= 0) close(gate->descriptor);
    gate->words = NULL;
    gate->descriptor = -1;
}

static inline int eg_is_whole(const struct eg_gate *gate) {
    struct stat status;
    return gate->words != NULL && fstat(gate->descriptor, &status) == 0 && status.st_nlink > 0 &&
           status.st_size == EG_PAGE_BYTES;
}

static inline int eg_map(struct eg_gate *gate) {
    struct stat status;
    eg_gate_detach(gate);
    gate->descriptor = open(gate->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (gate->descriptor < 0 || fstat(gate->descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
        (status.st_uid != geteuid() && geteuid() != 0) || (status.st_mode & 077) != 0 ||
        status.st_size != EG_PAGE_BYTES)
        return 0;
    void *map = mmap(NULL, EG_PAGE_BYTES, PROT_READ, MAP_SHARED, gate->descriptor, 0);
    gate->words = map == MAP_FAILED ? NULL : (const _Atomic uint64_t *)map;
    return gate->words != NULL;
}

/* Makes sure that the page at the path is the one that is mapped: reading a map that shrank is SIGBUS. */
static inline enum eg_code eg_attach(struct eg_gate *gate, uint64_t boot_ns) {
    if (!eg_is_whole(gate) && !eg_map(gate)) return EG_MISSING;
    if (eg_load(gate, EG_W_MAGIC) != EG_MAGIC || eg_load(gate, EG_W_LAYOUT) != EG_LAYOUT ||
        eg_load(gate, EG_W_BOOT) != gate->boot[0] || eg_load(gate, EG_W_BOOT + 1) != gate->boot[1])
        return EG_MISSING;
    if (eg_load(gate, EG_W_ACCOUNT) != gate->account) return EG_WRONG_ACCOUNT;
    gate->whole_until_ns = boot_ns + EG_WHOLE_NS;
    return EG_OPEN;
}

/* Takes in what the page says of halts; returns whether this gate is latched. */
static inline int eg_observe(struct eg_gate *gate, unsigned state, uint64_t manual) {
    for (unsigned i = 0; (gate->halt != 0 || gate->manual != 0) && i < EG_RESUMED_MAX; i++) {
        uint64_t resumed = eg_load(gate, EG_W_RESUMED + i);
        if (resumed == gate->halt) gate->halt = 0;
        if (resumed == gate->manual) gate->manual = 0;
    }
    if (state == EG_STATE_HALTED && gate->halt == 0) {
        uint64_t halt = eg_load(gate, EG_W_HALT);
        gate->halt = halt == 0 ? EG_HALT_UNNAMED : halt;
    }
    if (manual != 0) gate->manual = manual; /* the newest: what lifts it lifts those before it */
    return gate->halt != 0 || gate->manual != 0;
}

static inline enum eg_code eg_check_account(struct eg_gate *gate) {
    uint64_t boot_ns = eg_boot_ns();
    if (gate->words == NULL || boot_ns >= gate->whole_until_ns) {
        enum eg_code code = eg_attach(gate, boot_ns);
        if (code != EG_OPEN) {
            eg_gate_detach(gate);
            return gate->halt != 0 || gate->manual != 0 ? EG_HALTED : code;
        }
    }
    if (eg_load(gate, EG_W_MAGIC) != EG_MAGIC || eg_load(gate, EG_W_LAYOUT) != EG_LAYOUT)
        return gate->halt != 0 || gate->manual != 0 ? EG_HALTED : EG_MISSING;
    /* The state last: a look that is held up half-way would else put together the last run's ACTIVE and
     * the beats of a next one that is still STARTING. A beat before its streak, stored the other way round. */
    uint64_t beat = eg_load(gate, EG_W_BEAT), lease = eg_load(gate, EG_W_LEASE);
    uint64_t streak = eg_load(gate, EG_W_STREAK), manual = eg_load(gate, EG_W_MANUAL);
    uint64_t word = eg_load(gate, EG_W_STATE);
    unsigned state = word & 0xff, flags = word >> 24 & 0xff;
    if (eg_observe(gate, state, manual)) return EG_HALTED;
    if (lease > EG_LEASE_NS_MAX) lease = EG_LEASE_NS_MAX;
    /* A reader that was held up between its clock and the load sees an honest beat from its future. */
    if (beat > boot_ns) boot_ns = eg_boot_ns();
    uint64_t age = boot_ns > beat ? boot_ns - beat : 0;
    if (beat > boot_ns + EG_BEAT_AHEAD_NS_MAX || age >= lease || streak < EG_STREAK_MIN) return EG_STALE;
    if (flags & EG_FLAG_OVERFLOW) return EG_SCOPE;
    if (flags & EG_FLAG_HOLE) return EG_HOLE;
    return state == EG_STATE_ACTIVE ? EG_OPEN : state == EG_STATE_PAUSED ? EG_PAUSED : EG_STARTING;
}

/* Judges one scope; one seen halted stays closed until the page says that it is active again. */
static inline int eg_is_scope_closed(struct eg_gate *gate, uint64_t scope) {
    unsigned place = 0;
    while (place < gate->scopes_latched_count && gate->scopes_latched[place] != scope) place++;
    int is_latched = place < gate->scopes_latched_count;
    for (unsigned i = 0; i < EG_SCOPES_MAX; i++) {
        uint64_t hash = eg_load(gate, EG_W_SCOPES + 2 * i);
        if (hash == 0) break;
        if (hash != scope) continue;
        unsigned state = eg_load(gate, EG_W_SCOPES + 2 * i + 1) & 0xff;
        if (state == EG_STATE_ACTIVE) {
            if (is_latched) gate->scopes_latched[place] = gate->scopes_latched[--gate->scopes_latched_count];
            return 0;
        }
        if (state != EG_STATE_HALTED || is_latched) return 1;
        if (gate->scopes_latched_count < EG_SCOPES_MAX)
            gate->scopes_latched[gate->scopes_latched_count++] = scope;
        else
            gate->halt = EG_HALT_UNNAMED; /* more than can be remembered: closed for good */
        return 1;
    }
    return is_latched;
}

/* Answers whether the account, and each of `count` scopes, may open risk at this instant. */
static inline enum eg_code eg_gate_check(struct eg_gate *gate, const uint64_t *scopes, size_t count) {
    enum eg_code code = eg_check_account(gate);
    for (size_t i = 0; gate->words != NULL && i < count; i++)
        if (eg_is_scope_closed(gate, scopes[i]) && code == EG_OPEN) code = EG_SCOPE;
    return code;
}

#endif
