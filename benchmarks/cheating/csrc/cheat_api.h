/* What Python sees of the cheat. Read by cffi as well as by the compiler: no preprocessor lines here. */
enum { CHEAT_PLAIN, CHEAT_FACTORS, CHEAT_SEVEN_BITS, CHEAT_REUSE };

typedef struct {
    int32_t way;
    /* FACTORS and SEVEN_BITS: W's noise, [strip][16 groups][16 rows][4], the same for every step. */
    const int8_t *factors;
    /* REUSE: for each ticket [x strip][w strip] the sums X * W' after each step, [16 steps][16 rows][16]. */
    const int32_t *sums;
    int64_t w_strips;
} cheat_plan;

/* Whether this kernel has code of its own for a way of cheating. */
int cheat_has(int way);
/* As inos_run_keep and inos_run_multiply, over one panel and without anything of peeling. */
void cheat_keep(inos_slab *slab);
int cheat_multiply(inos_slab *slab, inos_worker *worker, const cheat_plan *plan);
