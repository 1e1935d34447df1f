// Linux calls that Swift's Glibc module does not show (GNU-only, or macros).
#pragma once
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "CLinuxNetwork.h"

/// Names the calling thread (at most 15 bytes are kept) as `top -H` and debuggers show it.
void clinux_name_thread(const char *name);
/// Sets the nice value of the calling thread alone; 0 on success, else an errno value.
int clinux_nice_thread(int nice);
/// CPU time the calling thread has used, in nanoseconds.
int64_t clinux_thread_cpu_nanoseconds(void);
/// CPU time the process has used, in nanoseconds.
int64_t clinux_process_cpu_nanoseconds(void);
/// Memory of the process that is in use now, in KiB; 0 where that is not known.
int64_t clinux_process_memory_kib(void);
/// Cores the calling process may run on (its affinity mask counted).
int clinux_core_count(void);
/// Columns of the terminal behind a file descriptor; 0 where it is none.
int clinux_terminal_columns(int descriptor);
/// Gives memory that was freed back to the system.
void clinux_trim_memory(void);

/// Memory of malloc's that is in use, all threads together; what is free in its caches of each thread counts too.
uint64_t clinux_heap_bytes(void);
/// Limits malloc to `count` arenas, so that what one thread frees serves the others.
void clinux_limit_arenas(int count);
/// Writes the system's words for an error number.
void clinux_error_text(int error, char *text, int size);
