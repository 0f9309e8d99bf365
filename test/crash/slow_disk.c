/*
 * Preloaded into the program: every write and sync of a file below SLOW_DIR takes as many milliseconds longer as the file
 * SLOW_CALLS says, if there is one, and does not begin while the file SLOW_STALL exists. With SLOW_DIRECTORIES it is those alone.
 */
#include <fcntl.h>
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
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return 0;
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  return count > 0 ? atol(text) : 0;
}

static int is_directory(int file) {
  struct stat found;
  return fstat(file, &found) == 0 && S_ISDIR(found.st_mode);
}

static int is_below(int file) {
  const char *dir = getenv("SLOW_DIR");
  char link[32], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = dir ? readlink(link, path, sizeof path) : -1;
  return length > 0 && (size_t)length > strlen(dir) && strncmp(path, dir, strlen(dir)) == 0;
}

static void wait_ms(long ms) {
  struct timespec rest = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&rest, NULL);
}

static void delay(int file) {
  const char *stall = getenv("SLOW_STALL");
  long ms = number_in(getenv("SLOW_CALLS"));
  int stalled = stall && access(stall, F_OK) == 0;
  if ((ms == 0 && !stalled) || !is_below(file)) return;
  if (getenv("SLOW_DIRECTORIES") && !is_directory(file)) return;
  wait_ms(ms);
  while (stall && access(stall, F_OK) == 0) wait_ms(stall_step_ms);
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
