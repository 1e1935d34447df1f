// Counts calls of malloc, calloc and realloc of the whole process: linked into benchmarks only.
#pragma once
/// Calls so far, on all threads.
long countmalloc_calls(void);
