/*
 * Preloaded into the program: calls on files below a directory can fail with any errno, or freeze the whole program, so that what
 * its disk holds at that moment can be looked at, or lost. What is to happen stands in a file that this and fault.ts map:
 * FAULT_CONTROL names it, FAULT_UNDER the directory, and FAULT_TRACE a file for the calls that were made.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* As in fault.ts. */
enum call { CREATE = 1, OPEN, READ, WRITE, SYNC, SYNC_DIR, RENAME, UNLINK, TRUNCATE, MKDIR, STATFS, LIST };
enum { ONCE = 0, FOR_EVER = -1 };
enum { FREEZE = 0, SHORT = -1, PRETEND = -2 };

struct control {
  _Atomic int32_t armed;   /* the rule holds */
  int32_t call;
  int32_t at;              /* the n-th call that fits, from 1 */
  int32_t error;           /* an errno, FREEZE, SHORT: half a write, or PRETEND: it is said to be done */
  int32_t lasting;         /* ms, ONCE or FOR_EVER */
  int32_t after;           /* the call is carried out before it is said to have failed */
  _Atomic int32_t traced;  /* calls go to the trace */
  _Atomic int32_t seen;    /* calls that fitted */
  _Atomic int32_t fired;   /* calls that failed */
  _Atomic int64_t since;   /* when the first one did, monotonic ms */
  char pattern[208];       /* of paths from the directory on, as for a shell */
};

static struct control *control;
static char under[PATH_MAX];
static size_t under_length;
static int trace = -1;
static char directory[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULT_CONTROL"), *dir = getenv("FAULT_UNDER"), *calls = getenv("FAULT_TRACE");
  if (!path || !dir || !getcwd(directory, sizeof directory)) return;
  int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (calls) trace = syscall(SYS_openat, AT_FDCWD, calls, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  under_length = snprintf(under, sizeof under, "%s", dir);
  if (mapped != MAP_FAILED) control = mapped;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* The whole program stands still, here and now. Somebody else goes on. */
static void freeze(void) {
  control->fired++;
  kill(getpid(), SIGSTOP);
}

static int is_due(enum call call, const char *name) {
  if (!control->armed || control->call != (int)call || fnmatch(control->pattern, name, 0) != 0) return 0;
  int number = ++control->seen;
  if (number < control->at) return 0;
  if (number == control->at) control->since = now();
  else if (control->lasting == ONCE) return 0;
  return control->lasting <= 0 || now() - control->since < control->lasting;
}

static void note(enum call call, const char *name, const char *how) {
  char line[PATH_MAX + 32];
  int length = snprintf(line, sizeof line, "%d %s %s\n", call, how, name);
  if (trace >= 0 && control->traced) (void)!syscall(SYS_write, trace, line, length);
}

/* Whether this call is to fail. */
static int strikes(enum call call, const char *path) {
  char whole[PATH_MAX];
  int before = errno;
  if (path[0] != '/') {
    if (strncmp(path, "./", 2) == 0) path += 2;
    snprintf(whole, sizeof whole, "%.2000s/%.2000s", directory, path);
    path = whole;
  }
  if (strncmp(path, under, under_length) != 0 || (path[under_length] != '/' && path[under_length] != 0)) return 0;
  const char *name = path[under_length] == 0 ? "." : path + under_length + 1;
  int due = is_due(call, name);
  note(call, name, due ? "failed" : "made");
  if (due && control->error != FREEZE) control->fired++;
  errno = before;
  return due;
}

static int quiet(void) { return !control || (!control->armed && !control->traced); }

static int strikes_file(enum call call, int file) {
  char link[64], path[PATH_MAX];
  if (quiet()) return 0;
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length <= 0 || path[0] != '/') return 0;
  path[length] = 0;
  return strikes(call, path);
}

static int strikes_path(enum call call, const char *path) { return !quiet() && path && strikes(call, path); }

/* What a call that was struck answers: `made` carries it out. */
#define ANSWER(made)                                  \
  do {                                                \
    if (control->error == FREEZE) {                   \
      if (!control->after) freeze();                  \
      __typeof__(made) answer = made;                 \
      int said = errno;                               \
      if (control->after) freeze();                   \
      errno = said;                                   \
      return answer;                                  \
    }                                                 \
    if (control->error == PRETEND) return 0;          \
    if (control->after) (void)(made);                 \
    errno = control->error;                           \
    return (__typeof__(made))-1;                      \
  } while (0)

#define REAL(name)                                             \
  static __typeof__(name) *real;                               \
  if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_dir(int file) {
  struct stat found;
  return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

#define OPENING(name, ...)                                              \
  va_list rest;                                                         \
  va_start(rest, flags);                                                \
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
  va_end(rest);                                                         \
  REAL(name);                                                           \
  if (strikes_path(flags & O_CREAT ? CREATE : OPEN, path)) ANSWER(real(__VA_ARGS__)); \
  return real(__VA_ARGS__)

int open(const char *path, int flags, ...) { OPENING(open, path, flags, mode); }
int open64(const char *path, int flags, ...) { OPENING(open64, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { OPENING(openat64, dir, path, flags, mode); }

ssize_t read(int file, void *into, size_t count) {
  REAL(read);
  if (strikes_file(READ, file)) ANSWER(real(file, into, count));
  return real(file, into, count);
}

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write);
  if (strikes_file(WRITE, file)) {
    if (control->error == SHORT) return real(file, bytes, count > 1 ? count / 2 : count);
    ANSWER(real(file, bytes, count));
  }
  return real(file, bytes, count);
}

#define SYNCING(name)                                                                 \
  int name(int file) {                                                                \
    REAL(name);                                                                       \
    if (!quiet() && strikes_file(is_dir(file) ? SYNC_DIR : SYNC, file)) ANSWER(real(file)); \
    return real(file);                                                                \
  }
SYNCING(fsync)
SYNCING(fdatasync)

int rename(const char *from, const char *to) {
  REAL(rename);
  if (strikes_path(RENAME, to)) ANSWER(real(from, to));
  return real(from, to);
}

int unlink(const char *path) {
  REAL(unlink);
  if (strikes_path(UNLINK, path)) ANSWER(real(path));
  return real(path);
}

int ftruncate64(int file, off64_t length) {
  REAL(ftruncate64);
  if (strikes_file(TRUNCATE, file)) ANSWER(real(file, length));
  return real(file, length);
}

int ftruncate(int file, off_t length) {
  REAL(ftruncate);
  if (strikes_file(TRUNCATE, file)) ANSWER(real(file, length));
  return real(file, length);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  if (strikes_path(MKDIR, path)) ANSWER(real(path, mode));
  return real(path, mode);
}

int statfs64(const char *path, struct statfs64 *found) {
  REAL(statfs64);
  if (strikes_path(STATFS, path)) ANSWER(real(path, found));
  return real(path, found);
}

int statfs(const char *path, struct statfs *found) {
  REAL(statfs);
  if (strikes_path(STATFS, path)) ANSWER(real(path, found));
  return real(path, found);
}

DIR *opendir(const char *path) {
  REAL(opendir);
  if (strikes_path(LIST, path)) {
    if (control->error == FREEZE) {
      freeze();
      return real(path);
    }
    errno = control->error;
    return NULL;
  }
  return real(path);
}
