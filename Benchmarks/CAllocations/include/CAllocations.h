#pragma once
#include <stdint.h>

/// Calls of malloc and its kin by this process so far. Linking this target replaces them by counting ones.
uint64_t callocations_count(void);
/// The same of the calling thread alone.
uint64_t callocations_of_thread(void);
/// Writes where the next so many calls of the calling thread come from to standard error, a block of lines each.
void callocations_trace(uint64_t calls);
