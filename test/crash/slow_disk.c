/*
 * Preloaded into the program: every write and sync of a file below SLOW_DIR takes as many milliseconds longer as the file
 * SLOW_CALLS says, if there is one, and does not begin while the file SLOW_STALL exists. With SLOW_DIRECTORIES it is those alone;
 * with SLOW_NAMES it is neither, but every creation, renaming and removal.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const long stall_step_ms = 10;

static long number_in(const char *path) {
  char text[16] = {0};
  int file = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
  if (file < 0) return 0;
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  return count > 0 ? atol(text) : 0;
}

static int is_directory(int file) {
  struct stat found;
  return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

static int is_path_below(const char *path) {
  const char *dir = getenv("SLOW_DIR");
  return dir && strlen(path) > strlen(dir) && strncmp(path, dir, strlen(dir)) == 0;
}

static int is_below(int file) {
  char link[32], path[512] = {0};
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  return readlink(link, path, sizeof path - 1) > 0 && is_path_below(path);
}

static int is_name_below(const char *name) {
  char path[1024] = {0};
  if (name[0] == '/') return is_path_below(name);
  if (!getcwd(path, sizeof path / 2)) return 0;
  size_t length = strlen(path);
  snprintf(path + length, sizeof path - length, "/%s", strncmp(name, "./", 2) == 0 ? name + 2 : name);
  return is_path_below(path);
}

static void wait_ms(long ms) {
  struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&rest, NULL);
}

static int is_stalled(void) {
  const char *stall = getenv("SLOW_STALL");
  return stall && access(stall, F_OK) == 0;
}

static void wait_out(long ms) {
  wait_ms(ms);
  while (is_stalled()) wait_ms(stall_step_ms);
}

static void delay(int file) {
  long ms = number_in(getenv("SLOW_CALLS"));
  if ((ms == 0 && !is_stalled()) || getenv("SLOW_NAMES") || !is_below(file)) return;
  if (getenv("SLOW_DIRECTORIES") && !is_directory(file)) return;
  wait_out(ms);
}

static void delay_name(const char *name) {
  long ms = number_in(getenv("SLOW_CALLS"));
  if ((ms > 0 || is_stalled()) && getenv("SLOW_NAMES") && is_name_below(name)) wait_out(ms);
}

ssize_t write(int file, const void *bytes, size_t count) {
  delay(file);
  return syscall(SYS_write, file, bytes, count);
}

static int sync_by(long call, int file) {
  delay(file);
  return syscall(call, file);
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }

static int open_by(const char *name, int flags, va_list more) {
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  if (flags & O_CREAT) delay_name(name);
  return syscall(SYS_openat, AT_FDCWD, name, flags, mode);
}

int open(const char *name, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int file = open_by(name, flags, more);
  va_end(more);
  return file;
}

int open64(const char *name, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int file = open_by(name, flags | O_LARGEFILE, more);
  va_end(more);
  return file;
}

int rename(const char *from, const char *to) {
  delay_name(from);
  return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int unlink(const char *name) {
  delay_name(name);
  return syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}
