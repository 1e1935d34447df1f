#include "CAllocations.h"
#include <execinfo.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

// glibc's own names: what it calls if nobody replaces malloc.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static _Atomic uint64_t count;

uint64_t callocations_count(void) { return atomic_load_explicit(&count, memory_order_relaxed); }

static __thread uint64_t own_count;
static __thread uint64_t traced;
static __thread int is_tracing;

uint64_t callocations_of_thread(void) { return own_count; }

void callocations_trace(uint64_t calls) { traced = calls; }

static void note(void) {
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    own_count++;
    if (!traced || is_tracing) return;
    // backtrace itself allocates when it is first used.
    is_tracing = 1;
    void *frames[16];
    int depth = backtrace(frames, 16);
    backtrace_symbols_fd(frames, depth, STDERR_FILENO);
    if (write(STDERR_FILENO, "--\n", 3) != 3) traced = 1;
    traced--;
    is_tracing = 0;
}

void *malloc(size_t size) {
    note();
    return __libc_malloc(size);
}
void *calloc(size_t items, size_t size) {
    note();
    return __libc_calloc(items, size);
}
void *realloc(void *old, size_t size) {
    note();
    return __libc_realloc(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    note();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **out, size_t alignment, size_t size) {
    note();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : 12;
}
