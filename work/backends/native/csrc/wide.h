/* X' widened to int16 while it is packed, for kernels that multiply 16-bit numbers: a group's 64 bytes become
 * 128, the even bytes of its 16 words as pairs of int16, then the odd ones. */
static inline void add_noise_wide(uint32_t step[16][ROWS], uint32_t table[RANK][ROWS], const uint8_t *perm,
                                  uint8_t *out)
{
    uint32_t narrow[16][ROWS];
    add_noise(step, table, perm, (uint8_t *)narrow);
    for (int g = 0; g < 16; g++, out += 128) {
        uint32_t even[ROWS], odd[ROWS];
        for (int r = 0; r < ROWS; r++) {
            even[r] = narrow[g][r] & 0x00ff00ffu;
            odd[r] = (narrow[g][r] >> 8) & 0x00ff00ffu;
        }
        memcpy(out, even, 64);
        memcpy(out + 64, odd, 64);
    }
}
