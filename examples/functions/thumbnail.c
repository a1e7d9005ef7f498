/* Makes a thumbnail: stdin is a PNG (8 bits a channel, not interlaced) or a binary PNM (P5, P6), stdout a PNG.
 * An argument is the longer side in pixels, 128 if none is given. Each pixel is the rounded mean of those it covers.
 * Everything is integer arithmetic; what cannot be read ends with exit code 1 and a line on stderr. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIDE = 16384, MAX_PIXELS = 1 << 24, MAX_INPUT = 1 << 26 };

typedef struct { uint32_t width, height, channels; uint8_t *pixels; } Image;
typedef struct { const uint8_t *at, *end; uint32_t bits, count; } Bits;
typedef struct { uint16_t counts[16], symbols[288]; } Huffman;

static _Noreturn void fail(const char *why) {
    fprintf(stderr, "thumbnail: %s\n", why);
    exit(1);
}

static void *get_memory(size_t size) {
    void *memory = malloc(size + 1);
    if (!memory) fail("the image needs more memory than the call has");
    return memory;
}

static uint32_t read_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void check_size(uint32_t width, uint32_t height) {
    if (!width || !height || width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS)
        fail("an image has 1 to 2^24 pixels, and at most 16384 a side");
}

/* Inflate (RFC 1951). */

static uint32_t take_bits(Bits *in, uint32_t count) {
    while (in->count < count) {
        if (in->at == in->end) fail("the compressed data ends early");
        in->bits |= (uint32_t)*in->at++ << in->count;
        in->count += 8;
    }
    uint32_t value = in->bits & ((1u << count) - 1);
    in->bits >>= count;
    in->count -= count;
    return value;
}

static void build_huffman(Huffman *code, const uint8_t *lengths, uint32_t count) {
    uint16_t offsets[16] = {0};
    memset(code->counts, 0, sizeof code->counts);
    for (uint32_t i = 0; i < count; i++) code->counts[lengths[i]]++;
    code->counts[0] = 0;
    for (int length = 1; length < 15; length++) offsets[length + 1] = offsets[length] + code->counts[length];
    for (uint32_t i = 0; i < count; i++)
        if (lengths[i]) code->symbols[offsets[lengths[i]]++] = i;
}

static uint32_t take_symbol(Bits *in, const Huffman *code) {
    int32_t value = 0, first = 0, index = 0;
    for (int length = 1; length < 16; length++) {
        value |= take_bits(in, 1);
        int32_t count = code->counts[length];
        if (value - count < first) return code->symbols[index + (value - first)];
        index += count;
        first = (first + count) << 1;
        value <<= 1;
    }
    fail("the compressed data has a wrong code");
}

static void read_codes(Bits *in, uint32_t kind, Huffman *literal, Huffman *distance) {
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[320] = {0};
    if (kind == 1) {
        for (int i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
        build_huffman(literal, lengths, 288);
        memset(lengths, 5, 30);
        build_huffman(distance, lengths, 30);
        return;
    }
    uint32_t literals = take_bits(in, 5) + 257, distances = take_bits(in, 5) + 1, codes = take_bits(in, 4) + 4;
    if (literals > 286 || distances > 30) fail("the compressed data has wrong codes");
    for (uint32_t i = 0; i < codes; i++) lengths[order[i]] = take_bits(in, 3);
    build_huffman(literal, lengths, 19);
    memset(lengths, 0, sizeof lengths);
    for (uint32_t i = 0; i < literals + distances;) {
        uint32_t symbol = take_symbol(in, literal), repeat = 1;
        uint8_t length = symbol;
        if (symbol >= 16) {
            if (symbol == 16 && !i) fail("the compressed data has wrong codes");
            length = symbol == 16 ? lengths[i - 1] : 0;
            repeat = symbol == 16 ? 3 + take_bits(in, 2) : symbol == 17 ? 3 + take_bits(in, 3) : 11 + take_bits(in, 7);
        }
        if (i + repeat > literals + distances) fail("the compressed data has wrong codes");
        while (repeat--) lengths[i++] = length;
    }
    build_huffman(literal, lengths, literals);
    build_huffman(distance, lengths + literals, distances);
}

static void inflate(Bits *in, uint8_t *out, size_t size) {
    static const uint16_t bases[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                       31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t extras[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static Huffman literal, distance;
    size_t done = 0;
    for (uint32_t is_last = 0; !is_last;) {
        is_last = take_bits(in, 1);
        uint32_t kind = take_bits(in, 2);
        if (kind == 0) {
            in->bits = in->count = 0; /* at most seven bits of the current byte are left: codes are read bit by bit */
            if (in->end - in->at < 4) fail("the compressed data ends early");
            size_t length = in->at[0] | in->at[1] << 8;
            in->at += 4;
            if ((size_t)(in->end - in->at) < length || size - done < length) fail("the compressed data has a wrong length");
            memcpy(out + done, in->at, length);
            done += length;
            in->at += length;
            continue;
        }
        if (kind == 3) fail("the compressed data has a block of no kind");
        read_codes(in, kind, &literal, &distance);
        for (uint32_t symbol; (symbol = take_symbol(in, &literal)) != 256;) {
            if (symbol < 256) {
                if (done == size) fail("the compressed data is too long");
                out[done++] = symbol;
                continue;
            }
            if (symbol > 285) fail("the compressed data has a wrong code");
            size_t length = bases[symbol - 257] + take_bits(in, extras[symbol - 257]);
            uint32_t code = take_symbol(in, &distance), more = code < 4 ? 0 : code / 2 - 1;
            if (code > 29) fail("the compressed data has a wrong code");
            size_t back = (code < 4 ? code : (2u + (code & 1)) << more) + 1 + take_bits(in, more);
            if (back > done || size - done < length) fail("the compressed data points outside the image");
            for (; length; length--, done++) out[done] = out[done - back];
        }
    }
    if (done != size) fail("the compressed data is too short");
}

/* Input: PNG and PNM. */

static uint8_t predict(uint8_t left, uint8_t up, uint8_t corner) {
    int to_left = abs(up - corner), to_up = abs(left - corner), to_corner = abs(left + up - 2 * corner);
    return to_left <= to_up && to_left <= to_corner ? left : to_up <= to_corner ? up : corner;
}

static void undo_filters(uint8_t *rows, uint32_t height, size_t line, size_t step) {
    for (uint32_t y = 0; y < height; y++) {
        uint8_t filter = rows[y * (line + 1)], *row = rows + y * (line + 1) + 1;
        if (filter > 4) fail("the PNG has a filter of no kind");
        for (size_t x = 0; x < line; x++) {
            uint8_t left = x >= step ? row[x - step] : 0, up = y ? row[x - line - 1] : 0;
            uint8_t corner = x >= step && y ? row[x - line - 1 - step] : 0;
            row[x] += filter == 1 ? left : filter == 2 ? up : filter == 3 ? (left + up) / 2 : filter == 4 ? predict(left, up, corner) : 0;
        }
    }
}

static Image read_png(const uint8_t *data, size_t size) {
    static const uint8_t channels_of[7] = {1, 0, 3, 1, 2, 0, 4};
    Image image = {0};
    const uint8_t *palette = NULL, *at = data + 8, *end = data + size;
    uint8_t *packed = get_memory(size), kind = 0;
    size_t packed_size = 0, palette_size = 0;
    for (uint32_t length; end - at >= 12; at += length + 12) {
        length = read_u32(at);
        if (length > (size_t)(end - at) - 12) fail("the PNG ends early");
        const uint8_t *body = at + 8;
        if (!memcmp(at + 4, "IHDR", 4) && length == 13) {
            image.width = read_u32(body), image.height = read_u32(body + 4), kind = body[9];
            if (body[8] != 8 || kind > 6 || !channels_of[kind] || body[12])
                fail("the PNG is not one of 8 bits a channel without interlacing");
            check_size(image.width, image.height);
        } else if (!memcmp(at + 4, "PLTE", 4)) {
            palette = body, palette_size = length / 3;
        } else if (!memcmp(at + 4, "IDAT", 4)) {
            memcpy(packed + packed_size, body, length);
            packed_size += length;
        }
    }
    if (!image.width || packed_size < 6 || (kind == 3 && !palette)) fail("the PNG lacks a part");
    size_t step = channels_of[kind], line = image.width * step;
    uint8_t *rows = get_memory((line + 1) * image.height);
    Bits bits = {packed + 2, packed + packed_size, 0, 0};
    inflate(&bits, rows, (line + 1) * image.height);
    undo_filters(rows, image.height, line, step);
    image.channels = kind == 3 ? 3 : step;
    image.pixels = get_memory((size_t)image.width * image.height * image.channels);
    for (uint32_t y = 0; y < image.height; y++) {
        const uint8_t *row = rows + y * (line + 1) + 1;
        uint8_t *out = image.pixels + (size_t)y * image.width * image.channels;
        if (kind != 3) memcpy(out, row, line);
        for (uint32_t x = 0; kind == 3 && x < image.width; x++) {
            if (row[x] >= palette_size) fail("the PNG has a color that is not in its palette");
            memcpy(out + 3 * x, palette + 3 * row[x], 3);
        }
    }
    return image;
}

static uint32_t read_number(const uint8_t **at, const uint8_t *end) {
    while (*at < end && (strchr(" \t\r\n", **at) || **at == '#')) {
        if (**at == '#') while (*at < end && **at != '\n') ++*at;
        else ++*at;
    }
    uint32_t value = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) value = value < 100000 ? value * 10 + (**at - '0') : value;
    return value;
}

static Image read_pnm(const uint8_t *data, size_t size) {
    const uint8_t *at = data + 2, *end = data + size;
    Image image = {.channels = data[1] == '5' ? 1 : 3};
    image.width = read_number(&at, end);
    image.height = read_number(&at, end);
    check_size(image.width, image.height);
    if (read_number(&at, end) != 255) fail("the PNM has other values than 0 to 255");
    size_t length = (size_t)image.width * image.height * image.channels;
    if (at == end || (size_t)(end - ++at) < length) fail("the PNM ends early");
    image.pixels = (uint8_t *)at;
    return image;
}

/* The thumbnail, and output as PNG. */

static Image shrink(Image from, uint32_t side) {
    uint32_t longer = from.width > from.height ? from.width : from.height;
    Image to = from;
    if (side < longer) {
        to.width = (from.width * side + longer / 2) / longer;
        to.height = (from.height * side + longer / 2) / longer;
        if (!to.width) to.width = 1;
        if (!to.height) to.height = 1;
    }
    to.pixels = get_memory((size_t)to.width * to.height * to.channels);
    for (uint32_t y = 0; y < to.height; y++)
        for (uint32_t x = 0; x < to.width; x++) {
            uint32_t top = y * from.height / to.height, bottom = (y + 1) * from.height / to.height;
            uint32_t left = x * from.width / to.width, right = (x + 1) * from.width / to.width;
            uint64_t sums[4] = {0}, count = (uint64_t)(bottom - top) * (right - left);
            for (uint32_t v = top; v < bottom; v++)
                for (uint32_t u = left; u < right; u++)
                    for (uint32_t c = 0; c < to.channels; c++)
                        sums[c] += from.pixels[((size_t)v * from.width + u) * to.channels + c];
            for (uint32_t c = 0; c < to.channels; c++)
                to.pixels[((size_t)y * to.width + x) * to.channels + c] = (sums[c] + count / 2) / count;
        }
    return to;
}

static void write_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = value >> (24 - 8 * i);
}

static void write_chunk(const char *name, uint8_t *body, uint32_t length) {
    uint8_t head[8], tail[4];
    uint32_t crc = 0xffffffff;
    write_u32(head, length);
    memcpy(head + 4, name, 4);
    for (uint32_t i = 0; i < length + 4; i++) {
        crc ^= i < 4 ? head[4 + i] : body[i - 4];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    write_u32(tail, ~crc);
    fwrite(head, 1, 8, stdout);
    fwrite(body, 1, length, stdout);
    fwrite(tail, 1, 4, stdout);
}

static void write_png(Image image) {
    static const uint8_t kinds[5] = {0, 0, 4, 2, 6};
    uint8_t head[13] = {[8] = 8, [9] = kinds[image.channels]};
    size_t line = (size_t)image.width * image.channels, size = (line + 1) * image.height, done = 0;
    uint8_t *rows = get_memory(size), *packed = get_memory(size + 5 * (size / 65535 + 1) + 6), *at = packed;
    for (uint32_t y = 0; y < image.height; y++) {
        rows[y * (line + 1)] = 0;
        memcpy(rows + y * (line + 1) + 1, image.pixels + y * line, line);
    }
    *at++ = 0x78, *at++ = 0x01; /* zlib's head; the pixels are stored, not compressed */
    while (done < size) {
        size_t length = size - done < 65535 ? size - done : 65535;
        *at++ = done + length == size;
        *at++ = length & 255, *at++ = length >> 8, *at++ = ~length & 255, *at++ = (~length >> 8) & 255;
        memcpy(at, rows + done, length);
        at += length, done += length;
    }
    uint32_t low = 1, high = 0;
    for (size_t i = 0; i < size; i++) low = (low + rows[i]) % 65521, high = (high + low) % 65521;
    write_u32(at, high << 16 | low);
    write_u32(head, image.width);
    write_u32(head + 4, image.height);
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, stdout);
    write_chunk("IHDR", head, 13);
    write_chunk("IDAT", packed, at + 4 - packed);
    write_chunk("IEND", head, 0);
}

int main(int argc, char **argv) {
    uint32_t side = argc > 1 ? strtoul(argv[1], NULL, 10) : 128;
    size_t size = 0, room = 1 << 16, got;
    uint8_t *data = get_memory(room);
    while ((got = fread(data + size, 1, room - size, stdin)) > 0)
        if ((size += got) == room) {
            if (room >= MAX_INPUT) fail("the file is larger than 64 MiB");
            data = realloc(data, room *= 2);
            if (!data) fail("the file needs more memory than the call has");
        }
    if (side < 1 || side > 1024) fail("the longer side is 1 to 1024 pixels");
    Image image;
    if (size > 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8)) image = read_png(data, size);
    else if (size > 8 && data[0] == 'P' && (data[1] == '5' || data[1] == '6')) image = read_pnm(data, size);
    else fail("this is neither a PNG nor a binary PNM (P5, P6)");
    write_png(shrink(image, side));
    return ferror(stdout) ? 1 : 0;
}
