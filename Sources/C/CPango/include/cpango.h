// Text to pixels: the little of Pango and Cairo that is needed, without their many headers.
#pragma once
#include <stdint.h>

typedef enum { cpango_left, cpango_centre, cpango_right } cpango_alignment;
typedef enum { cpango_word, cpango_character, cpango_word_or_character } cpango_wrapping;

typedef struct {
    // As Pango writes fonts; without a size, 24 points.
    const char *font;
    double scale;
    // 0xAARRGGBB; an outline of alpha 0 is none.
    uint32_t colour, outline;
    int has_shadow;
    cpango_alignment alignment;
    cpango_wrapping wrapping;
    // Pixels of a line at most; -1: as wide as it is.
    int width_max;
    // Cut short with an ellipsis instead of broken into lines.
    int is_single_line;
} cpango_style;

typedef struct cpango_drawing cpango_drawing;

// Draws UTF-8 text; NULL where there is nothing to be seen. At most `side_max` pixels on a side.
cpango_drawing *cpango_draw(const char *text, const cpango_style *style, int side_max);
int cpango_width(const cpango_drawing *drawing);
int cpango_height(const cpango_drawing *drawing);
// Writes red, green, blue, alpha for each pixel, multiplied by alpha, rows without padding.
void cpango_copy(const cpango_drawing *drawing, uint8_t *pixels);
void cpango_free(cpango_drawing *drawing);
