/* Balances a pole on a cart, and says how well each of many controllers does it. Integers only.

   stdin: controllers, one after the other, each of GENES int32: the weights of a network with the five inputs x, dx,
   angle, dangle and 1, HIDDEN neurons and one output. stdout: for each controller two int64, its fitness and its cell.
   Each tick of each start, until the cart leaves the track or the pole falls, is worth 100 less what the cart is away from
   the middle and the pole from upright; the fitness is their sum, at most 300,000. The cell
   says how the controller does it: where the cart is on average, and how much it moves.

   With the argument "trace" it prints instead, for the first controller and the first start, each tick's position of the
   cart and angle of the pole in 1/4096 metres and radians.

   Numbers are in 1/4096. The equations are those of Barto, Sutton and Anderson, 1983, with sin a = a - a^3/6 and
   cos a = 1 - a^2/2, which is exact enough for the 0.21 radians at which a trial ends. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ONE 4096
#define INPUTS 5
#define HIDDEN 4
#define GENES (HIDDEN * INPUTS + HIDDEN)
#define MEMBERS 4096
#define TRIALS 6
#define TICKS 500

static const int64_t GRAVITY = 98 * ONE / 10, FORCE = 10 * ONE, TRACK = 24 * ONE / 10, FALL = ONE * 2095 / 10000;
static const int64_t MASS = ONE * 11 / 10, POLE_MOMENT = ONE / 20, HALF_POLE = ONE / 2, STEPS_A_SECOND = 50;
static int32_t genes[MEMBERS * GENES];

typedef struct { int64_t x, dx, a, da; } State;

static int64_t times(int64_t a, int64_t b) { return a * b / ONE; }
static int64_t clamp(int64_t v, int64_t least, int64_t most) { return v < least ? least : v > most ? most : v; }

static int64_t size(int64_t v) { return v < 0 ? -v : v; }

/* The push of the controller, -ONE to ONE. */
static int64_t control(const int32_t *w, const State *s) {
    const int64_t in[INPUTS] = {s->x, s->dx, s->a * 8, s->da, ONE};
    int64_t out = 0;
    for (int h = 0; h < HIDDEN; h++) {
        int64_t sum = 0;
        for (int i = 0; i < INPUTS; i++) sum += times(w[h * INPUTS + i], in[i]);
        out += times(w[HIDDEN * INPUTS + h], clamp(sum, -ONE, ONE));
    }
    return clamp(out, -ONE, ONE);
}

static void tick(State *s, int64_t push) {
    const int64_t square = times(s->a, s->a), cosine = ONE - square / 2, sine = s->a - times(square, s->a) / 6;
    const int64_t pressed = (times(push, FORCE) + times(POLE_MOMENT, times(times(s->da, s->da), sine))) * ONE / MASS;
    const int64_t leans = times(GRAVITY, sine) - times(cosine, pressed);
    const int64_t inertia = times(HALF_POLE, ONE * 4 / 3 - times(ONE / 10, times(cosine, cosine)) * ONE / MASS);
    const int64_t turns = leans * ONE / inertia;
    const int64_t moves = pressed - times(POLE_MOMENT, times(turns, cosine)) * ONE / MASS;
    s->x += s->dx / STEPS_A_SECOND;
    s->dx = clamp(s->dx + moves / STEPS_A_SECOND, -64 * ONE, 64 * ONE);
    s->a += s->da / STEPS_A_SECOND;
    s->da = clamp(s->da + turns / STEPS_A_SECOND, -64 * ONE, 64 * ONE);
}

static State begin(int trial) {
    static const int starts[TRIALS][4] = {{0, 0, 3, 0}, {4, 0, -3, 0}, {-8, 2, 2, -2}, {8, -4, 0, 4}, {-4, 4, -4, 0}, {0, -6, 4, 4}};
    const int *s = starts[trial];
    return (State){s[0] * ONE / 10, s[1] * ONE / 10, s[2] * ONE / 30, s[3] * ONE / 20};
}

static int stands(const State *s) { return s->x >= -TRACK && s->x <= TRACK && s->a >= -FALL && s->a <= FALL; }

int main(int argc, char **argv) {
    const size_t read = fread(genes, sizeof(int32_t), MEMBERS * GENES, stdin), members = read / GENES;
    if (!members || read % GENES || getchar() != EOF) {
        fprintf(stderr, "stdin holds %zu genes; a controller has %d, and there are 1 to %d\n", read, GENES, MEMBERS);
        return 1;
    }
    if (argc > 1 && !strcmp(argv[1], "trace")) {
        State s = begin(0);
        for (int t = 0; t < TICKS && stands(&s); t++) {
            printf("%lld %lld\n", (long long)s.x, (long long)s.a);
            tick(&s, control(genes, &s));
        }
        return 0;
    }
    for (size_t m = 0; m < members; m++) {
        int64_t fitness = 0, ticks = 1, place = 0, moved = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            State s = begin(trial);
            for (int t = 0; t < TICKS && stands(&s); t++, ticks++) {
                fitness += 100 - 60 * size(s.x) / TRACK - 40 * size(s.a) / FALL;
                tick(&s, control(genes + m * GENES, &s));
                place += s.x;
                moved += size(s.dx);
            }
        }
        const int64_t where = clamp((place / ticks + TRACK) * 8 / (2 * TRACK), 0, 7);
        const int64_t how = clamp(moved / ticks * 8 / (2 * ONE), 0, 7);
        const int64_t row[2] = {fitness, where * 8 + how};
        fwrite(row, sizeof row, 1, stdout);
    }
    return 0;
}
