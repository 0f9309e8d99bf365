/* A peer by libzmq, as zeromq_peer.py: TYPE bind|connect ADDRESS COUNT SIZE RUNS PAUSE_MS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

static void *context;
static const char *kind, *way, *address;
static int count, size, runs, pause_ms;
static const int window = 1000;

static int is(const char *name) { return strcmp(kind, name) == 0; }

static void check(int outcome, const char *what) {
  if (outcome >= 0) return;
  fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void nap(int ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

static void *opened(int tell) {
  int type = is("push") ? ZMQ_PUSH : is("pub") ? ZMQ_PUB : is("dealer") ? ZMQ_DEALER : is("req") ? ZMQ_REQ
           : is("pull") ? ZMQ_PULL : ZMQ_SUB;
  void *socket = zmq_socket(context, type);
  int none = 0, limit = 60000, linger = -1;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(socket, ZMQ_RCVTIMEO, &limit, sizeof limit);
  zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
  zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
  if (is("sub")) zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
  check(strcmp(way, "bind") == 0 ? zmq_bind(socket, address) : zmq_connect(socket, address), address);
  char endpoint[256];
  size_t length = sizeof endpoint;
  zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &length);
  if (tell) printf("%s\n", endpoint), fflush(stdout);
  return socket;
}

/* Prints the last frame of the next message. */
static void print_next(void *socket) {
  int more = 1;
  while (more) {
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    check(zmq_msg_recv(&frame, socket, 0), "recv");
    more = zmq_msg_more(&frame);
    if (!more && size >= 0) fwrite(zmq_msg_data(&frame), 1, zmq_msg_size(&frame), stdout), putchar('\n');
    zmq_msg_close(&frame);
  }
}

static void send_all(int run) {
  void *socket = opened(run == 0);
  char *padding = malloc(size + 1), *body = malloc(size + 100);
  int asked = 0;
  memset(padding, 'x', size);
  padding[size] = 0;
  if (is("pub")) nap(1000);
  for (int i = 0; i < count; i++) {
    int length = sprintf(body, "{\"topic\":\"t\",\"data\":\"%d-%d-%s\"}", run, i, padding);
    if (is("dealer")) check(zmq_send(socket, "", 0, ZMQ_SNDMORE), "send");
    check(zmq_send(socket, body, length, 0), "send");
    asked++;
    for (; (is("req") && asked > 0) || (is("dealer") && asked >= window); asked--) print_next(socket), fflush(stdout);
    if (pause_ms > 0) nap(pause_ms);
  }
  for (; is("dealer") && asked > 0; asked--) print_next(socket);
  fflush(stdout);
  free(padding);
  free(body);
  zmq_close(socket);
}

int main(int argc, char **argv) {
  kind = argv[1], way = argv[2], address = argv[3];
  count = argc > 4 ? atoi(argv[4]) : 1;
  size = argc > 5 ? atoi(argv[5]) : 0;
  runs = argc > 6 ? atoi(argv[6]) : 1;
  pause_ms = argc > 7 ? atoi(argv[7]) : 0;
  context = zmq_ctx_new();
  if (is("pull") || is("sub")) {
    void *socket = opened(1);
    for (int i = 0; i < count; i++) print_next(socket);
    fflush(stdout);
    zmq_close(socket);
  } else {
    for (int run = 0; run < runs; run++) send_all(run);
  }
  zmq_ctx_term(context);
  return 0;
}
