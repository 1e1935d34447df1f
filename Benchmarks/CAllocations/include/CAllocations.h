#pragma once
#include <stdint.h>

/// Calls of malloc and its kin by this process so far. Linking this target replaces them by counting ones.
uint64_t callocations_count(void);
