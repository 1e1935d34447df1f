// OpenSSL and usrsctp read gettimeofday themselves. An executable that links this file answers instead, while the
// protocol machines are in a call that carries virtual time; at all other moments, and on all other threads, the
// system's clock goes on.
#include "CLibraryClock.h"
#include <malloc.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

static _Thread_local int64_t override_nanoseconds = -1;

// Virtual time begins near zero, which these libraries take for "no time": all is moved to a day in 2023.
static const int64_t epoch_seconds = 1700000000;

void tessera_library_clock(int64_t nanoseconds) { override_nanoseconds = nanoseconds; }

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    (void)zone;
    if (override_nanoseconds >= 0) {
        time->tv_sec = epoch_seconds + override_nanoseconds / 1000000000;
        time->tv_usec = override_nanoseconds % 1000000000 / 1000;
        return 0;
    }
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return result;
}

int64_t tessera_heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}
