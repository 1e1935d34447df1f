// Reads bar codes and QR codes in grey pictures.
#pragma once
#include <zbar.h>

// The four-character code of a picture of nothing but brightness, which libzbar wants.
static inline unsigned long czbar_grey(void) { return zbar_fourcc('Y', '8', '0', '0'); }
