// sys.stdin, sys.stdout and sys.stderr with their binary `buffer`, over the three descriptors of a function.
#include <stdio.h>

#include "py/mperrno.h"
#include "py/obj.h"
#include "py/stream.h"

typedef struct {
    mp_obj_base_t base;
    FILE *const *file;
    const void *buffer;
} stdio_obj_t;

static mp_uint_t stdio_read(mp_obj_t self_in, void *data, mp_uint_t size, int *errcode) {
    stdio_obj_t *self = MP_OBJ_TO_PTR(self_in);
    size_t got = fread(data, 1, size, *self->file);
    if (ferror(*self->file)) {
        *errcode = MP_EIO;
        return MP_STREAM_ERROR;
    }
    return got;
}

static mp_uint_t stdio_write(mp_obj_t self_in, const void *data, mp_uint_t size, int *errcode) {
    stdio_obj_t *self = MP_OBJ_TO_PTR(self_in);
    size_t put = fwrite(data, 1, size, *self->file);
    if (put < size) {
        *errcode = MP_EIO;
        return MP_STREAM_ERROR;
    }
    return put;
}

static mp_uint_t stdio_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t arg, int *errcode) {
    if (request == MP_STREAM_FLUSH || request == MP_STREAM_CLOSE) {
        return 0;
    }
    *errcode = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static void stdio_attr(mp_obj_t self_in, qstr name, mp_obj_t *found) {
    stdio_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (name == MP_QSTR_buffer && self->buffer != NULL && found[0] == MP_OBJ_NULL) {
        found[0] = MP_OBJ_FROM_PTR(self->buffer);
    } else {
        found[1] = MP_OBJ_SENTINEL;
    }
}

static const mp_rom_map_elem_t stdio_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_readlines), MP_ROM_PTR(&mp_stream_unbuffered_readlines_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&mp_stream_flush_obj) },
};
static MP_DEFINE_CONST_DICT(stdio_locals, stdio_locals_table);

static const mp_stream_p_t text_protocol = { .read = stdio_read, .write = stdio_write, .ioctl = stdio_ioctl, .is_text = true };
static const mp_stream_p_t bytes_protocol = { .read = stdio_read, .write = stdio_write, .ioctl = stdio_ioctl };

static MP_DEFINE_CONST_OBJ_TYPE(text_type, MP_QSTR_TextIOWrapper, MP_TYPE_FLAG_ITER_IS_STREAM,
    protocol, &text_protocol, attr, stdio_attr, locals_dict, &stdio_locals);
static MP_DEFINE_CONST_OBJ_TYPE(bytes_type, MP_QSTR_FileIO, MP_TYPE_FLAG_ITER_IS_STREAM,
    protocol, &bytes_protocol, locals_dict, &stdio_locals);

#define DEFINE_STDIO(name) \
    static const stdio_obj_t name##_buffer = { { &bytes_type }, &name, NULL }; \
    const stdio_obj_t mp_sys_##name##_obj = { { &text_type }, &name, &name##_buffer };

DEFINE_STDIO(stdin)
DEFINE_STDIO(stdout)
DEFINE_STDIO(stderr)
