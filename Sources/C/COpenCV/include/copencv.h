// Finds faces in grey pictures: the little of OpenCV's C++ interface that is needed, as C.
#pragma once
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct copencv_detector copencv_detector;
typedef struct { int x, y, width, height; } copencv_box;

// A detector with the cascade of a file, or NULL where that cannot be read.
copencv_detector *copencv_detector_make(const char *cascade_path);
void copencv_detector_free(copencv_detector *detector);

// Writes at most `room` boxes of faces of at least `side_min` pixels, and returns how many, or -1 on failure.
int copencv_find(copencv_detector *detector, const uint8_t *grey, int width, int height, int stride, int side_min,
                 copencv_box *boxes, int room);

#ifdef __cplusplus
}
#endif
