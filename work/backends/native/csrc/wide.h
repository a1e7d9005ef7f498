/* X' widened to int16 while it is packed, for kernels that multiply 16-bit numbers: a group's 64 bytes become
 * 128, the even bytes of its 16 words as pairs of int16, then the odd ones. */
static inline void add_noise_wide(const words *step, const words *table, const uint8_t *perm, uint8_t *out)
{
    words narrow[16];
    add_noise(step, table, perm, (uint8_t *)narrow);
    for (int g = 0; g < 16; g++, out += 128) {
        const words even = narrow[g] & 0x00ff00ffu, odd = narrow[g] >> 8 & 0x00ff00ffu;
        memcpy(out, &even, 64);
        memcpy(out + 64, &odd, 64);
    }
}
