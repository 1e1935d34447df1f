#pragma once
#include <stdint.h>

// What gettimeofday answers on this thread, in nanoseconds; negative: the system's clock.
void tessera_library_clock(int64_t nanoseconds);

// Bytes of the heap that are in use, in the whole process; 0 where the allocator does not say (sanitizers).
int64_t tessera_heap_bytes(void);
