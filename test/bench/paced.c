/*
 * Load that does not wait for answers before it goes on: requests fall due by a clock, as those of many senders do who know
 * nothing of each other, and each is timed from when it was due. Who is slow for a moment is slow for all who came meanwhile.
 *
 *     paced PORT CONNECTIONS RATE SECONDS FILE
 *
 * FILE holds a request; its answers have no body. What falls due while every connection waits for an answer is sent as soon as
 * one is free. Prints the figures that load.lua prints, and `late_p99_ms`: how late requests were sent though a connection was free.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { connections_max = 4096, handle_max = connections_max + 64, request_max = 1 << 16, answer_max = 4096, batch = 512 };
/* Longer than any stall of a disk that is still a figure. */
static const double patience_s = 60;

struct connection {
    double due;
    size_t length;
    char answer[answer_max];
};

static struct connection connections[handle_max];
static char request[request_max];
static size_t request_length;
static int idle[connections_max];
static int idle_from, idle_count, connection_count;
static int loop;

/* ms of each answer and of each request that could have gone at once. */
static float *taken, *late;
static size_t answered, on_time, refused, broken;

static void die(const char *what) {
    fprintf(stderr, "paced: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void rest(int socket) {
    idle[(idle_from + idle_count++) % connection_count] = socket;
}

static int next_idle(void) {
    int socket = idle[idle_from];
    idle_from = (idle_from + 1) % connection_count;
    idle_count--;
    return socket;
}

static void connect_all(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < connection_count; i++) {
        int one = 1, handle = socket(AF_INET, SOCK_STREAM, 0);
        if (handle < 0 || handle >= handle_max || connect(handle, (void *)&address, sizeof address)) die("connect");
        setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(handle, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = handle};
        if (epoll_ctl(loop, EPOLL_CTL_ADD, handle, &event)) die("epoll");
        rest(handle);
    }
}

static void send_one(double due) {
    int socket = next_idle();
    connections[socket].due = due;
    if (write(socket, request, request_length) != (ssize_t)request_length) broken++;
}

static void hear(int socket) {
    struct connection *from = &connections[socket];
    ssize_t count = read(socket, from->answer + from->length, answer_max - 1 - from->length);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        broken++;
        epoll_ctl(loop, EPOLL_CTL_DEL, socket, NULL);
        return;
    }
    from->length += count;
    from->answer[from->length] = 0;
    if (!strstr(from->answer, "\r\n\r\n")) return;
    if (strncmp(from->answer, "HTTP/1.1 2", 10)) refused++;
    taken[answered++] = (now_s() - from->due) * 1e3;
    from->length = 0;
    rest(socket);
}

static int by_size(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double share(const float *sorted, size_t count, double part) {
    if (!count) return 0;
    size_t at = count * part;
    return sorted[at < count ? at : count - 1];
}

static void wait_until(double due) {
    double left = due - now_s();
    if (left < 0) left = 0;
    struct timespec time = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (time_t)left) * 1e9)};
    struct epoll_event events[batch];
    int ready = epoll_pwait2(loop, events, batch, &time, NULL);
    if (ready < 0 && errno != EINTR) die("epoll");
    for (int i = 0; i < ready; i++) hear(events[i].data.fd);
}

static void read_request(const char *path) {
    int file = open(path, O_RDONLY);
    ssize_t count = file < 0 ? -1 : read(file, request, sizeof request);
    if (count <= 0) die(path);
    request_length = count;
    close(file);
}

/* The time to the next one: exponential, the same in every run. */
static double pause_s(double rate) {
    return -log(1 - drand48()) / rate;
}

static void run(double rate, size_t total) {
    double begin = now_s(), due = begin + pause_s(rate), heard = begin;
    for (size_t sent = 0, before = 0; answered < total;) {
        double now = now_s();
        for (int was_free = idle_count > 0; sent < total && due <= now && idle_count > 0; sent++) {
            /* Only who found a connection free when it fell due tells how punctual we are. */
            if (was_free && due >= heard) late[on_time++] = (now - due) * 1e3;
            send_one(due);
            due += pause_s(rate);
        }
        if (answered > before) heard = now;
        before = answered;
        if (now - heard > patience_s || (int)broken >= connection_count) return;
        wait_until(sent < total && idle_count > 0 ? due : now + 1);
    }
}

int main(int count, char **words) {
    if (count != 6) {
        fprintf(stderr, "use: paced PORT CONNECTIONS RATE SECONDS FILE\n");
        return 2;
    }
    connection_count = atoi(words[2]);
    double rate = atof(words[3]), seconds = atof(words[4]);
    size_t total = rate * seconds;
    if (connection_count < 1 || connection_count > connections_max || total < 1) die("numbers");
    read_request(words[5]);
    taken = malloc(total * sizeof *taken);
    late = malloc(total * sizeof *late);
    prctl(PR_SET_TIMERSLACK, 1000);
    srand48(1);
    loop = epoll_create1(0);
    connect_all(atoi(words[1]));
    double begin = now_s();
    run(rate, total);
    double took = now_s() - begin;
    broken += total - answered;
    qsort(taken, answered, sizeof *taken, by_size);
    qsort(late, on_time, sizeof *late, by_size);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\":%zu,\"seconds\":%.6f,\"refused\":%zu,\"broken\":%zu,\"cpu_s\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"p99_9_ms\":%.3f,\"max_ms\":%.3f,\"late_p99_ms\":%.3f}\n",
           answered, took, refused, broken, cpu, share(taken, answered, 0.5), share(taken, answered, 0.99),
           share(taken, answered, 0.999), share(taken, answered, 1), share(late, on_time, 0.99));
}
