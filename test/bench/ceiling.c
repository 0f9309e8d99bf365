/*
 * The ceiling: the least HTTP/1.1 server that keeps what it is sent, one thread, epoll. What this core and this disk allow;
 * a yardstick, not a product. What one turn of the loop brought is written once and synced once, then answered.
 *
 *     ceiling PORT MODE FILE
 *
 * MODE sync     FILE grows: every sync has to store its new length too. It begins anew when the last sender has left.
 *      syncpre  FILE is 4 GiB, written before the port opens, and overwritten in place.
 *      count    keeps nothing, but looks at every byte of a body for the ends of its lines.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { senders_max = 4096, waiting_max = 1 << 16, request_max = 1 << 19, turn_max = 1 << 27, batch = 512 };
static const off_t file_bytes = (off_t)4 << 30;
static const char accepted[] = "HTTP/1.1 204 No Content\r\n\r\n";

struct sender {
    char *bytes;
    size_t length;
};

static struct sender senders[senders_max];
static int connected;
static int loop, file;
static int in_place, only_counts;
static volatile size_t lines_seen;
static off_t file_at;

/* What this turn brought: the bytes for the file, and who waits for an answer. */
static char *turn;
static size_t turn_length;
static int waiting[waiting_max];
static int waiting_count;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void give_up(const char *why) {
    fprintf(stderr, "ceiling: %s\n", why);
    exit(1);
}

static void keep(const char *bytes, size_t length) {
    unsigned size = (unsigned)length;
    if (turn_length + sizeof size + length > turn_max) give_up("a turn brought too many bytes");
    memcpy(turn + turn_length, &size, sizeof size);
    memcpy(turn + turn_length + sizeof size, bytes, length);
    turn_length += sizeof size + length;
}

static void count_lines(const char *at, size_t length) {
    for (const char *end = at + length; at < end && (at = memchr(at, '\n', end - at)); at++) lines_seen++;
}

static void store(void) {
    if (only_counts) return;
    if (in_place && file_at + (off_t)turn_length > file_bytes) file_at = 0;
    for (size_t done = 0; done < turn_length;) {
        ssize_t count = pwrite(file, turn + done, turn_length - done, file_at);
        if (count < 0) die("ceiling: write");
        done += count;
        file_at += count;
    }
    if (fdatasync(file)) die("ceiling: fdatasync");
    turn_length = 0;
}

static void answer(int socket) {
    ssize_t count = write(socket, accepted, sizeof accepted - 1);
    if (count < 0 && errno != EPIPE && errno != ECONNRESET && errno != EBADF) perror("ceiling: answer");
}

/* The length of a POST's body; the head ends with an empty line at `end`. */
static size_t body_length(char *head, char *end) {
    if (*head != 'P') return 0;
    *end = 0;
    char *field = strcasestr(head, "\r\ncontent-length:");
    *end = '\r';
    return field ? strtoul(field + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

/* Keeps every whole request that a sender's bytes hold; false when one is too long. */
static int take_requests(int socket) {
    struct sender *from = &senders[socket];
    size_t done = 0;
    for (;;) {
        char *head = from->bytes + done;
        size_t left = from->length - done;
        char *end = left ? memmem(head, left, "\r\n\r\n", 4) : NULL;
        if (!end) break;
        size_t head_length = end + 4 - head;
        size_t body = body_length(head, end);
        if (head_length + body > request_max) return 0;
        if (head_length + body > left) break;
        if (only_counts) count_lines(head + head_length, body);
        else if (body) keep(head + head_length, body);
        else keep(head, head_length);
        if (waiting_count == waiting_max) give_up("a turn brought too many requests");
        waiting[waiting_count++] = socket;
        done += head_length + body;
    }
    memmove(from->bytes, from->bytes + done, from->length - done);
    from->length -= done;
    return 1;
}

static void watch(int socket) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = socket};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, socket, &event)) die("ceiling: epoll");
}

static void welcome(int door) {
    int one = 1, socket = accept4(door, NULL, NULL, SOCK_NONBLOCK);
    if (socket < 0) return;
    if (socket >= senders_max) {
        close(socket);
        return;
    }
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!senders[socket].bytes) senders[socket].bytes = malloc(request_max + 1);
    senders[socket].length = 0;
    connected++;
    watch(socket);
}

static void part(int socket) {
    close(socket);
    if (--connected > 0 || in_place) return;
    file_at = 0;
    if (ftruncate(file, 0)) die("ceiling: truncate");
}

static void hear(int socket) {
    struct sender *from = &senders[socket];
    ssize_t count = read(socket, from->bytes + from->length, request_max - from->length);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return part(socket);
    from->length += count;
    if (!take_requests(socket) || from->length == request_max) part(socket);
}

/* A file that an earlier run has filled is taken as it is. */
static void fill(void) {
    static char zeros[1 << 20];
    struct stat facts;
    if (fstat(file, &facts)) die("ceiling: stat");
    if (facts.st_size == file_bytes && (off_t)facts.st_blocks * 512 >= file_bytes) return;
    for (off_t at = 0; at < file_bytes; at += sizeof zeros) {
        if (pwrite(file, zeros, sizeof zeros, at) != sizeof zeros) die("ceiling: fill");
    }
    if (fsync(file)) die("ceiling: fsync");
}

static int open_door(int port) {
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (void *)&address, sizeof address) || listen(door, 1024)) die("ceiling: listen");
    return door;
}

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "use: ceiling PORT sync|syncpre|count FILE\n");
        return 2;
    }
    in_place = !strcmp(words[2], "syncpre");
    only_counts = !strcmp(words[2], "count");
    file = open(words[3], O_CREAT | O_WRONLY | (in_place ? 0 : O_TRUNC), 0644);
    if (file < 0) die("ceiling: open");
    if (in_place) fill();
    turn = malloc(turn_max);
    loop = epoll_create1(0);
    int door = open_door(atoi(words[1]));
    watch(door);
    for (;;) {
        struct epoll_event events[batch];
        int ready = epoll_wait(loop, events, batch, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd == door) welcome(door);
            else hear(events[i].data.fd);
        }
        if (!waiting_count) continue;
        store();
        for (int i = 0; i < waiting_count; i++) answer(waiting[i]);
        waiting_count = 0;
    }
}
