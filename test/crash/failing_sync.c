/* Preloaded into the program: a sync fails with EIO once while the file FAIL_ONCE exists, and always while FAIL_ALWAYS does. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(void) {
  const char *once = getenv("FAIL_ONCE");
  const char *always = getenv("FAIL_ALWAYS");
  return (once && unlink(once) == 0) || (always && access(always, F_OK) == 0);
}

static int sync_by(long call, int file) {
  if (!fails()) return syscall(call, file);
  errno = EIO;
  return -1;
}

int fsync(int file) { return sync_by(SYS_fsync, file); }
int fdatasync(int file) { return sync_by(SYS_fdatasync, file); }
