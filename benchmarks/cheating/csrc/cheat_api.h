/* The part of the cheat that Python calls. cffi reads this file as well as the compiler, so it has no preprocessor
 * lines. */
enum { CHEAT_PLAIN, CHEAT_FACTORS, CHEAT_SEVEN_BITS, CHEAT_REUSE };

typedef struct {
    int32_t way;
    /* FACTORS and SEVEN_BITS: W's noise, [strip][16 groups][16 rows][4], the same for every step. */
    const int8_t *factors;
    /* REUSE: for each ticket [x strip][w strip] the sums X * W' after each step, [16 steps][16 rows][16]. */
    const int32_t *sums;
    int64_t w_strips;
} cheat_plan;

/* Returns whether this kernel has its own code for a way of cheating. */
int cheat_has(int way);
/* These do what inos_run_keep and inos_run_multiply do, over one panel and without peeling. */
void cheat_keep(inos_slab *slab);
int cheat_multiply(inos_slab *slab, inos_worker *worker, const cheat_plan *plan);
