/* Both ends of the wire, native and blocking: the echo that is the floor, and the pinger that loads
 * floor and guard alike.
 *
 *   wire LIBZMQ echo FEEDS HALTS BYTES
 *   wire LIBZMQ ping FEEDS HALTS RECORDS OUT WARMUP_MS
 *   wire LIBZMQ flood FEEDS HALTS RECORDS OUT WARMUP_MS
 *
 * RECORDS (little-endian): u64 count, then per record u64 due_ns (after the start), u32 topic bytes,
 * u32 payload bytes, u32 stamp offset (0: none), u32 bytes of the answer's topic (0: no answer is
 * waited for), u32 bytes of what the answer's body holds, topic, payload, answer's topic, what its
 * body holds. The stamp is a msgpack uint64 in the payload that becomes the wall clock at sending.
 * OUT: per record that expects an answer u64 due, sent, received (CLOCK_MONOTONIC ns; received 0:
 * lost). Arrivals are open-loop: a record is due when its time has come, whatever came back before,
 * and its latency counts from then. An answer belongs to the oldest record that waits for its topic
 * and for what it holds.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "zmq_abi.h"

typedef struct {
    uint64_t due, sent, received;
    const uint8_t *topic, *match, *says;
    uint8_t *payload;
    uint32_t topic_size, payload_size, stamp, match_size, says_size;
} record;

/* A subscriber that is not there by then is not coming. */
#define SUBSCRIBER_WAIT_MS 20000

static record *records;
static uint64_t record_count, answers_left;
static void *answers;
static atomic_int is_sent;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t due) {
    struct timespec until = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {}
}

static int has_more(void *socket) {
    int more = 0;
    size_t size = sizeof more;
    zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
    return more;
}

/* Receives one message; its first frame goes to `topic`, its last stays in `body`. */
static int receive(void *socket, char *topic, char *body, size_t room) {
    int size = zmq_recv(socket, topic, room - 1, 0);
    if (size < 0) return -1;
    topic[(size_t)size < room - 1 ? (size_t)size : room - 1] = 0;
    int last = 0;
    while (has_more(socket)) last = zmq_recv(socket, body, room, 0);
    return last;
}

_Noreturn static void echo(const char *feeds, const char *halts, size_t bytes) {
    static char topic[65536], body[65536], answer[65536];
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_SUB, feeds, 1);
    void *out = open_socket(context, ZMQ_PUB, halts, 1);
    zmq_setsockopt(in, ZMQ_SUBSCRIBE, "", 0);
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (receive(in, topic, body, sizeof body) < 0 || topic[0] != 'p') continue;
        zmq_send(out, "halt.A", 6, ZMQ_SNDMORE);
        zmq_send(out, answer, bytes, 0);
    }
}

static void *load(const char *path, long *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) { perror(path); exit(3); }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    void *bytes = malloc((size_t)*size);
    if (bytes == NULL || fread(bytes, 1, (size_t)*size, file) != (size_t)*size) exit(3);
    fclose(file);
    return bytes;
}

static void read_records(const char *path) {
    long size;
    uint8_t *at = load(path, &size);
    memcpy(&record_count, at, 8);
    at += 8;
    records = calloc(record_count, sizeof *records);
    for (uint64_t i = 0; i < record_count; i++) {
        record *one = &records[i];
        memcpy(&one->due, at, 8);
        memcpy(&one->topic_size, at + 8, 4);
        memcpy(&one->payload_size, at + 12, 4);
        memcpy(&one->stamp, at + 16, 4);
        memcpy(&one->match_size, at + 20, 4);
        memcpy(&one->says_size, at + 24, 4);
        at += 28;
        one->topic = at;
        one->payload = at + one->topic_size;
        one->match = one->payload + one->payload_size;
        one->says = one->match + one->match_size;
        at = (uint8_t *)one->says + one->says_size;
        answers_left += one->match_size > 0;
    }
}

/* The oldest record without an answer that waits for this one; `from` skips the answered. */
static void answered(const char *topic, const char *body, size_t size, uint64_t now) {
    static uint64_t from = 0;
    while (from < record_count && (records[from].match_size == 0 || records[from].received)) from++;
    for (uint64_t i = from; i < record_count && i < from + 4096; i++) {
        record *one = &records[i];
        if (one->received || one->match_size == 0) continue;
        size_t length = strlen(topic);
        if (length == one->match_size && memcmp(topic, one->match, length) == 0 &&
            (one->says_size == 0 || memmem(body, size, one->says, one->says_size) != NULL)) {
            one->received = now;
            answers_left--;
            return;
        }
    }
}

static void *listen_answers(void *unused) {
    static char topic[65536], body[65536];
    (void)unused;
    uint64_t idle_since = 0;
    while (answers_left > 0) {
        int size = receive(answers, topic, body, sizeof body);
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (size >= 0) {
            answered(topic, body, (size_t)size, now);
            idle_since = 0;
        } else if (atomic_load(&is_sent)) {
            /* Nothing for three seconds after the last record: the rest is lost. */
            if (idle_since == 0) idle_since = now;
            if (now - idle_since > 3000000000u) break;
        }
    }
    return NULL;
}

static void stamp(record *one) {
    if (one->stamp == 0) return;
    uint64_t wall = __builtin_bswap64(clock_ns(CLOCK_REALTIME));
    memcpy(one->payload + one->stamp, &wall, 8);
}

static void send_records(void *out, uint64_t start, int rests) {
    for (uint64_t i = 0; i < record_count; i++) {
        record *one = &records[i];
        one->due += start;
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        /* A flood rests in slices of 50 us, so that waking up does not become the load. */
        if (now < one->due) sleep_until(rests ? one->due : one->due + 50000);
        stamp(one);
        one->sent = clock_ns(CLOCK_MONOTONIC);
        zmq_send(out, one->topic, one->topic_size, ZMQ_SNDMORE);
        zmq_send(out, one->payload, one->payload_size, 0);
    }
}

static int ping(char **args, int rests) {
    void *context = zmq_ctx_new();
    int patience = 200;
    read_records(args[2]);
    /* XPUB, which sends as PUB does, to hear that whoever is measured has subscribed. */
    void *out = open_socket(context, ZMQ_XPUB, args[0], 0);
    int wait = SUBSCRIBER_WAIT_MS;
    zmq_setsockopt(out, ZMQ_RCVTIMEO, &wait, sizeof wait);
    answers = open_socket(context, ZMQ_SUB, args[1], 0);
    zmq_setsockopt(answers, ZMQ_SUBSCRIBE, "halt.", 5);
    zmq_setsockopt(answers, ZMQ_RCVTIMEO, &patience, sizeof patience);
    char subscription[256];
    if (zmq_recv(out, subscription, sizeof subscription, 0) < 0) {
        fprintf(stderr, "a subscriber must come to %s within %d ms, none did\n", args[0], wait);
        return 4;
    }
    sleep_until(clock_ns(CLOCK_MONOTONIC) + (uint64_t)atol(args[4]) * 1000000u);
    pthread_t listener;
    pthread_create(&listener, NULL, listen_answers, NULL);
    uint64_t begun = clock_ns(CLOCK_MONOTONIC) + 10000000u;
    send_records(out, begun, rests);
    uint64_t ended = clock_ns(CLOCK_MONOTONIC);
    atomic_store(&is_sent, 1);
    pthread_join(listener, NULL);
    FILE *file = fopen(args[3], "wb");
    if (file == NULL) { perror(args[3]); return 3; }
    for (uint64_t i = 0; i < record_count; i++)
        if (records[i].match_size > 0) fwrite(&records[i].due, 8, 3, file);
    fclose(file);
    /* The last messages may still be with libzmq's thread: a process that ends now loses them. */
    int patience_ms = 5000;
    zmq_setsockopt(out, ZMQ_LINGER, &patience_ms, sizeof patience_ms);
    zmq_close(out);
    zmq_close(answers);
    zmq_ctx_term(context);
    printf("%llu %llu\n", (unsigned long long)record_count, (unsigned long long)(ended - begun));
    return 0;
}

int main(int count, char **args) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    if (count == 6 && strcmp(args[2], "echo") == 0) {
        load_zmq(args[1]);
        echo(args[3], args[4], (size_t)atol(args[5]));
    }
    if (count == 8 && (strcmp(args[2], "ping") == 0 || strcmp(args[2], "flood") == 0)) {
        load_zmq(args[1]);
        return ping(args + 3, args[2][0] == 'p');
    }
    fputs("usage: wire LIBZMQ echo|ping|flood ...\n", stderr);
    return 2;
}
