/* The few functions of libzmq that the floors use, taken at run time from the library inside pyzmq.
 *
 * So the floor runs on the very libzmq that EdgeGuard runs on, and needs no development package.
 * The numbers are libzmq's stable ABI (zmq.h of 4.3).
 */
#ifndef EDGEGUARD_BENCH_ZMQ_ABI_H
#define EDGEGUARD_BENCH_ZMQ_ABI_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZMQ_PUB = 1, ZMQ_SUB = 2, ZMQ_XPUB = 9 };
enum { ZMQ_SUBSCRIBE = 6, ZMQ_RCVMORE = 13, ZMQ_LINGER = 17, ZMQ_SNDHWM = 23, ZMQ_RCVHWM = 24 };
enum { ZMQ_RCVTIMEO = 27, ZMQ_CURVE_SERVER = 47, ZMQ_CURVE_PUBLICKEY = 48 };
enum { ZMQ_CURVE_SECRETKEY = 49, ZMQ_CURVE_SERVERKEY = 50 };
enum { ZMQ_DONTWAIT = 1, ZMQ_SNDMORE = 2 };

static void *(*zmq_ctx_new)(void);
static void *(*zmq_socket)(void *, int);
static int (*zmq_setsockopt)(void *, int, const void *, size_t);
static int (*zmq_getsockopt)(void *, int, void *, size_t *);
static int (*zmq_bind)(void *, const char *);
static int (*zmq_connect)(void *, const char *);
static int (*zmq_send)(void *, const void *, size_t, int);
static int (*zmq_recv)(void *, void *, size_t, int);
static int (*zmq_close)(void *);
static int (*zmq_ctx_term)(void *);

/* Data and function pointers differ in ISO C; POSIX says that dlsym's fit. */
static void take(void *library, const char *name, void *place) {
    void *symbol = dlsym(library, name);
    if (symbol == NULL) {
        fprintf(stderr, "libzmq must have %s, has not: %s\n", name, dlerror());
        exit(3);
    }
    *(void **)place = symbol;
}

static void load_zmq(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL) {
        fprintf(stderr, "libzmq must load from %s, did not: %s\n", path, dlerror());
        exit(3);
    }
    take(library, "zmq_ctx_new", &zmq_ctx_new);
    take(library, "zmq_socket", &zmq_socket);
    take(library, "zmq_setsockopt", &zmq_setsockopt);
    take(library, "zmq_getsockopt", &zmq_getsockopt);
    take(library, "zmq_bind", &zmq_bind);
    take(library, "zmq_connect", &zmq_connect);
    take(library, "zmq_send", &zmq_send);
    take(library, "zmq_recv", &zmq_recv);
    take(library, "zmq_close", &zmq_close);
    take(library, "zmq_ctx_term", &zmq_ctx_term);
}

/* WIRE_KEYS: "PUBLIC SECRET" of who binds, "PUBLIC SECRET SERVER" of who connects; Z85, 40 characters
 * each. Without it a socket is plain. */
static void use_keys(void *socket, int binds) {
    const char *keys = getenv("WIRE_KEYS");
    int server = 1;
    char one[3][41] = {{0}};
    if (keys == NULL || *keys == 0) return;
    int found = sscanf(keys, "%40s %40s %40s", one[0], one[1], one[2]);
    int failed = found != (binds ? 2 : 3);
    failed |= zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, one[0], 41);
    failed |= zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, one[1], 41);
    if (binds) failed |= zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &server, sizeof server);
    else failed |= zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, one[2], 41);
    if (failed) {
        fputs("WIRE_KEYS must be keys that this libzmq takes, were not\n", stderr);
        exit(4);
    }
}

static void *open_socket(void *context, int kind, const char *endpoint, int binds) {
    void *socket = zmq_socket(context, kind);
    int queue = 200000, none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &queue, sizeof queue);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &queue, sizeof queue);
    use_keys(socket, binds);
    if ((binds ? zmq_bind : zmq_connect)(socket, endpoint) != 0) {
        fprintf(stderr, "%s must be usable, was not\n", endpoint);
        exit(4);
    }
    return socket;
}

#endif
