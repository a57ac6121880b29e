/* What the files of the PDF reader share (ISO 32000-1). No file outside of pdf*.c includes this.
 *
 * A value is a place in the bytes of the file, or of an object stream that was opened; nothing is
 * parsed before it is asked for, and asking never recurses. A value that is not there, or is not of
 * the type that was asked for, reads as nothing: 0, "", an empty list. */
#ifndef LK_MEDIA_PDF_H
#define LK_MEDIA_PDF_H

#include "base/map.h"
#include "media/parts.h"

struct pdf_font;
struct pdf_crypt;

struct pdf_value {
    const uint8_t *p, *end; /* p NULL: none */
};

struct pdf_place { /* an object that stands in the file itself */
    const uint8_t *p;
    uint64_t number;
    uint32_t generation;
};

struct pdf {
    const uint8_t *p;
    size_t n;
    struct map objects;       /* number -> index + 1 */
    struct pdf_value *object; /* where each stands: behind "obj" */
    size_t n_objects, cap;
    struct pdf_place *place; /* in the order of the file */
    size_t n_places, place_cap;
    struct buf **opened; /* object streams */
    size_t n_opened;
    size_t decoded; /* bytes that came out of streams so far */
    size_t looked;  /* bytes of objects stepped over */
    struct pdf_value root, info, encrypt, id;
    bool closed; /* object streams are not opened: nobody knows yet how to decrypt them */
    struct pdf_crypt *crypt;
    struct pdf_font_at { /* fonts in use, by the place of their dictionary */
        const uint8_t *p;
        struct pdf_font *font;
    } * fonts;
    size_t n_fonts;
};

/* Finds the objects of the file by looking at all of it, so that a broken or missing table of them
 * does not matter. FAULT_NONE, _CUT, _KIND, _NOMEM, _ENCRYPTED. */
enum fault pdf_open(struct pdf *d, const uint8_t *p, size_t n);
void pdf_close(struct pdf *d);

/* ---- values; all follow references ---- */

struct pdf_value pdf_resolve(const struct pdf *d, struct pdf_value v);
struct pdf_value pdf_get(const struct pdf *d, struct pdf_value dict, const char *key);
bool pdf_is_dict(struct pdf_value v);
bool pdf_is_array(struct pdf_value v);
bool pdf_is_string(struct pdf_value v);
bool pdf_is_name(struct pdf_value v, const char *name);
struct span pdf_name(struct pdf_value v); /* without the slash */
double pdf_number(struct pdf_value v, double otherwise);
int pdf_int(struct pdf_value v, int otherwise); /* within half of what an int holds */
int64_t pdf_ref(struct pdf_value v); /* number of the object, unless it is a value: then -1 */
/* Bytes of a string, decoded. Appends. */
void pdf_string(struct pdf_value v, struct buf *out);
/* The same for a value of the document, where it may be encrypted. */
void pdf_said(const struct pdf *d, struct pdf_value v, struct buf *out);

/* Elements of an array, or keys and values of a dictionary in turn. `at` begins as pdf_inside(v).
 * */
struct pdf_value pdf_inside(struct pdf_value v);
bool pdf_next(struct pdf_value *at, struct pdf_value *out); /* out: not resolved */

/* ---- tokens of a content stream ---- */

/* 1: a value; 2: a word such as Tj; 0: the end. */
int pdf_token(struct pdf_value *at, struct pdf_value *out);

/* ---- streams ---- */

/* What the stream of an object holds, decoded. false: there is none, or it is a picture. What was
 * decoded before a fault counts. */
bool pdf_stream(struct pdf *d, struct pdf_value dict, struct buf *out);
/* pdf_filter.c: one filter. parms: its parameters. */
bool pdf_filter(const struct pdf *d, struct span name, struct pdf_value parms, const struct buf *in,
                struct buf *out);

/* ---- encryption (pdf_crypt.c) ---- */

/* By d->encrypt and the empty password. FAULT_NONE, _ENCRYPTED, _NOMEM; d->crypt is to be closed.
 */
enum fault pdf_crypt_open(struct pdf *d);
void pdf_crypt_close(struct pdf_crypt *c); /* accepts NULL */
/* In place; at: the object it belongs to, NULL: what stands in an object stream is plain. */
void pdf_decrypt(const struct pdf *d, const struct pdf_place *at, bool string, struct buf *b);

/* ---- fonts (pdf_font.c) ---- */

struct pdf_font *pdf_font_new(struct pdf *d, struct pdf_value dict); /* NULL when out of memory */
void pdf_font_free(struct pdf_font *f);
/* One character of a string: bytes used, its text (UTF-8, at most 32 bytes), its width in
 * thousandths of the font size. */
size_t pdf_font_char(const struct pdf_font *f, const uint8_t *p, size_t n, char text[33],
                     double *width);
/* Unicode of a glyph's name, or 0 (pdf_glyphs.c). */
uint32_t pdf_glyph(struct span name);
/* Unicode of a byte in a named encoding ("WinAnsiEncoding", ...). */
uint32_t pdf_encoded(struct span encoding, uint8_t byte);

/* ---- pages (pdf_page.c) ---- */

/* Runs a page's content. false: it holds no text. */
bool pdf_page(struct pdf *d, struct pdf_value page, struct pdf_value resources,
              struct doctext *out);

#endif
