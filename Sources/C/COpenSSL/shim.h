// The macros that Swift does not see, one named function each.
#pragma once
#include <openssl/ssl.h>
