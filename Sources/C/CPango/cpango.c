#include "cpango.h"

#include <math.h>
#include <pango/pangocairo.h>
#include <stdlib.h>

struct cpango_drawing {
    cairo_surface_t *surface;
};

static PangoFontDescription *make_font(const cpango_style *style) {
    PangoFontDescription *font = pango_font_description_from_string(style->font);
    double size = pango_font_description_get_size(font);
    if (size <= 0) size = 24 * PANGO_SCALE;
    size = fmin(fmax(size * style->scale, PANGO_SCALE), 1000.0 * PANGO_SCALE);
    pango_font_description_set_size(font, (gint)size);
    return font;
}

static PangoLayout *make_layout(cairo_t *cairo, const char *text, const cpango_style *style,
                                const PangoFontDescription *font) {
    static const PangoAlignment alignments[] = {PANGO_ALIGN_LEFT, PANGO_ALIGN_CENTER, PANGO_ALIGN_RIGHT};
    static const PangoWrapMode wrappings[] = {PANGO_WRAP_WORD, PANGO_WRAP_CHAR, PANGO_WRAP_WORD_CHAR};
    PangoLayout *layout = pango_cairo_create_layout(cairo);
    pango_layout_set_font_description(layout, font);
    pango_layout_set_text(layout, text, -1);
    pango_layout_set_alignment(layout, alignments[style->alignment]);
    pango_layout_set_wrap(layout, wrappings[style->wrapping]);
    if (style->width_max >= 0) pango_layout_set_width(layout, style->width_max * PANGO_SCALE);
    if (style->is_single_line) {
        pango_layout_set_single_paragraph_mode(layout, TRUE);
        pango_layout_set_height(layout, -1);
        pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
    }
    return layout;
}

static void set_colour(cairo_t *cairo, uint32_t colour) {
    cairo_set_source_rgba(cairo, (colour >> 16 & 255) / 255.0, (colour >> 8 & 255) / 255.0, (colour & 255) / 255.0,
                          (colour >> 24) / 255.0);
}

static void draw(cairo_t *cairo, PangoLayout *layout, const cpango_style *style, double x, double y, double outline,
                 double shadow) {
    if (shadow > 0) {
        set_colour(cairo, 0x80000000);
        cairo_move_to(cairo, x + shadow, y + shadow);
        pango_cairo_show_layout(cairo, layout);
    }
    if (outline > 0) {
        set_colour(cairo, style->outline);
        cairo_move_to(cairo, x, y);
        pango_cairo_layout_path(cairo, layout);
        cairo_set_line_width(cairo, 2 * outline);
        cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
        cairo_stroke(cairo);
    }
    set_colour(cairo, style->colour);
    cairo_move_to(cairo, x, y);
    pango_cairo_show_layout(cairo, layout);
}

cpango_drawing *cpango_draw(const char *text, const cpango_style *style, int side_max) {
    PangoFontDescription *font = make_font(style);
    // Pango's 96 pixels per inch make four pixels of three points.
    const double pixels = pango_font_description_get_size(font) * 4.0 / 3 / PANGO_SCALE;
    const double outline = style->outline >> 24 ? fmax(1, pixels / 15) : 0;
    const double shadow = style->has_shadow ? fmax(1, pixels / 13) : 0;
    // Something to measure with; the real surface is made when the size is known.
    cairo_surface_t *scratch = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, 1, 1);
    cairo_t *measure = cairo_create(scratch);
    PangoLayout *layout = make_layout(measure, text, style, font);
    PangoRectangle ink, logical;
    pango_layout_get_pixel_extents(layout, &ink, &logical);
    cpango_drawing *drawing = NULL;
    if (ink.width > 0 && ink.height > 0) {
        const int margin = (int)ceil(outline), below = margin + (int)ceil(shadow);
        const int left = MIN(ink.x, logical.x) - margin, top = MIN(ink.y, logical.y) - margin;
        const int right = MAX(ink.x + ink.width, logical.x + logical.width) + below;
        const int bottom = MAX(ink.y + ink.height, logical.y + logical.height) + below;
        cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, MIN(right - left, side_max),
                                                              MIN(bottom - top, side_max));
        cairo_t *cairo = cairo_create(surface);
        draw(cairo, layout, style, -left, -top, outline, shadow);
        cairo_destroy(cairo);
        cairo_surface_flush(surface);
        drawing = malloc(sizeof *drawing);
        if (drawing) drawing->surface = surface;
        else cairo_surface_destroy(surface);
    }
    g_object_unref(layout);
    cairo_destroy(measure);
    cairo_surface_destroy(scratch);
    pango_font_description_free(font);
    return drawing;
}

int cpango_width(const cpango_drawing *drawing) { return cairo_image_surface_get_width(drawing->surface); }
int cpango_height(const cpango_drawing *drawing) { return cairo_image_surface_get_height(drawing->surface); }

void cpango_copy(const cpango_drawing *drawing, uint8_t *pixels) {
    const int width = cpango_width(drawing), height = cpango_height(drawing);
    const int stride = cairo_image_surface_get_stride(drawing->surface);
    const unsigned char *data = cairo_image_surface_get_data(drawing->surface);
    for (int row = 0; data && row < height; row++) {
        // Cairo's pixels are words of 32 bits, 0xAARRGGBB.
        const uint32_t *line = (const uint32_t *)(data + (size_t)row * stride);
        for (int column = 0; column < width; column++) {
            *pixels++ = line[column] >> 16 & 255;
            *pixels++ = line[column] >> 8 & 255;
            *pixels++ = line[column] & 255;
            *pixels++ = line[column] >> 24;
        }
    }
}

void cpango_free(cpango_drawing *drawing) {
    cairo_surface_destroy(drawing->surface);
    free(drawing);
}
