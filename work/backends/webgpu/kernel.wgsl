// Noise, product and tickets on a graphics card (protocol, section 3), for WebGPU in browsers and through wgpu. The same
// file serves both. All arithmetic is exact: integers, and products of bytes by dot4I8Packed.
//
// A packed operand has one u32 for 4 columns of a row: [strip][panel][step][group of 4 columns][16 rows], 16 steps of 16
// groups in a panel; the first column is in the lowest byte. Rows and columns beyond the matrix are zero before noise.
//
// @group(0):
//   0  uniform     Params
//   1  storage, r  noisy X, packed, as X' - 128 (-128 .. 126)      multiply
//   2  storage, r  noisy W, packed, as W' (-128 .. 126)            multiply
//   3  storage, rw Found: wins, at most as many as it has room for multiply
//   4  storage, rw product, i32 [16 * x_strips][16 * w_strips]     multiply
//   5  storage, r  operand, packed, without noise                  add_noise
//   6  storage, r  noise rows, (stream & 127) - 64: 64 bytes a row add_noise
//   7  storage, r  permutations: panels * 1024 bytes, P_b[c]       add_noise
//   8  storage, rw noisy operand, packed                           add_noise
//
// add_noise: dispatch (4 * panels, strips of the operand, 1). Both operands take the same noise rows: those of W are
//   F, and those of X are 64 + E - 128, so that X' - 128 fits a signed byte like W'.
// multiply: dispatch (ceil(w_strips / 8), ceil(x_strips / 4), 1). It draws the tickets of panels [first_panel,
//   last_panel) of the strips from x_first and w_first on. With adds_product = 1 it adds X' * W'^T of these panels to the
//   product (the noise is still in it); with 0 the product may be a buffer of four bytes. Found.count is set to 0 before
//   the dispatch; it counts all wins, also those beyond the room of Found.wins.

struct Params {
  x_strips: u32,     // strips of the noisy X in binding 1
  w_strips: u32,     // strips of the noisy W in binding 2
  panels: u32,       // panels of both operands
  first_panel: u32,
  last_panel: u32,
  adds_product: u32,
  x_first: u32,      // added to the numbers i of the wins
  w_first: u32,      // added to the numbers j of the wins
  key: array<vec4<u32>, 2>,     // seed_x, 8 words as BLAKE3 reads them (little-endian)
  target_words: array<vec4<u32>, 2>,  // the target, 8 words, most significant first
}

struct Win {
  i: u32,
  j: u32,
  p: u32,
  digest: array<u32, 8>,  // words as BLAKE3 writes them (little-endian)
}

struct Found {
  count: atomic<u32>,
  wins: array<Win>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> noisy_x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> noisy_w: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> found: Found;
@group(0) @binding(4) var<storage, read_write> product: array<i32>;
@group(0) @binding(5) var<storage, read> operand: array<u32>;
@group(0) @binding(6) var<storage, read> noise_rows: array<u32>;
@group(0) @binding(7) var<storage, read> permutations: array<u32>;
@group(0) @binding(8) var<storage, read_write> noisy: array<u32>;

const X_STRIPS = 4u;  // strips of X that one workgroup multiplies
const W_STRIPS = 8u;
const STEP_QUADS = 64u;  // vec4<u32> of a strip in one step
const PANEL_QUADS = 1024u;

// A thread has one row of the operand and four columns in each of four steps.
@compute @workgroup_size(256)
fn add_noise(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = thread & 15u;
  let panels = params.panels;
  for (var k = 0u; k < 4u; k++) {
    let at = (group.x * 4u + k) * 16u + (thread >> 4u);  // groups of columns, counted from the first panel
    let places = permutations[at];
    let base = (group.y * 16u + row) * 64u;
    var noise = 0u;
    for (var c = 0u; c < 32u; c += 8u) {
      let place = base + ((places >> c) & 63u);
      noise |= ((noise_rows[place >> 2u] >> (8u * (place & 3u))) & 255u) << c;
    }
    let word = (group.y * panels * 256u + at) * 16u + row;
    let raw = operand[word];
    // Bytes are added without carries between them.
    noisy[word] = ((raw & 0x7f7f7f7fu) + (noise & 0x7f7f7f7fu)) ^ ((raw ^ noise) & 0x80808080u);
  }
}

var<workgroup> step_x: array<vec4<u32>, 256>;  // X_STRIPS * STEP_QUADS
var<workgroup> step_w: array<vec2<u32>, 1024>;  // W_STRIPS * STEP_QUADS * 2
var<workgroup> states: array<u32, 512>;  // X_STRIPS * W_STRIPS tickets of 16 words

fn dot_rows(x: vec4<u32>, w: u32) -> vec4<i32> {
  return vec4<i32>(dot4I8Packed(x.x, w), dot4I8Packed(x.y, w), dot4I8Packed(x.z, w), dot4I8Packed(x.w, w));
}

fn fold_rows(a: vec4<i32>, b: vec4<i32>, c: vec4<i32>, d: vec4<i32>, offset: i32) -> u32 {
  let o = vec4<i32>(offset);
  let all = bitcast<vec4<u32>>(a + o) ^ bitcast<vec4<u32>>(b + o) ^ bitcast<vec4<u32>>(c + o) ^ bitcast<vec4<u32>>(d + o);
  return all.x ^ all.y ^ all.z ^ all.w;
}

// A thread has all 16 rows of a strip of X and two columns of a strip of W, so that it folds without its neighbours.
@compute @workgroup_size(256)
fn multiply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let x_in = thread >> 6u;
  let w_in = (thread >> 3u) & 7u;
  let pair = thread & 7u;
  let i = group.y * X_STRIPS + x_in;
  let j = group.x * W_STRIPS + w_in;
  let is_inside = i < params.x_strips && j < params.w_strips;
  let width = 16u * params.w_strips;
  // Strips beyond the operand are read as its last one; their tickets are left out.
  let x_load = min(i, params.x_strips - 1u) * params.panels * PANEL_QUADS + (thread & 63u);
  let w_load = group.x * W_STRIPS;

  for (var panel = params.first_panel; panel < params.last_panel; panel++) {
    var a0 = vec4<i32>(); var a1 = vec4<i32>(); var a2 = vec4<i32>(); var a3 = vec4<i32>();
    var b0 = vec4<i32>(); var b1 = vec4<i32>(); var b2 = vec4<i32>(); var b3 = vec4<i32>();
    var a_sum = 0; var b_sum = 0;
    var a_state = 0u; var b_state = 0u;
    for (var step = 0u; step < 16u; step++) {
      let at = panel * PANEL_QUADS + step * STEP_QUADS;
      workgroupBarrier();
      step_x[thread] = noisy_x[x_load + at];
      for (var half = 0u; half < 2u; half++) {
        let strip = min(w_load + half * 4u + x_in, params.w_strips - 1u);
        let quad = noisy_w[strip * params.panels * PANEL_QUADS + at + (thread & 63u)];
        let place = 2u * (half * 256u + thread);
        step_w[place] = quad.xy;
        step_w[place + 1u] = quad.zw;
      }
      workgroupBarrier();
      for (var g = 0u; g < 16u; g++) {
        let w = step_w[w_in * 128u + g * 8u + pair];
        let x0 = step_x[x_in * 64u + g * 4u];
        let x1 = step_x[x_in * 64u + g * 4u + 1u];
        let x2 = step_x[x_in * 64u + g * 4u + 2u];
        let x3 = step_x[x_in * 64u + g * 4u + 3u];
        a0 += dot_rows(x0, w.x); a1 += dot_rows(x1, w.x); a2 += dot_rows(x2, w.x); a3 += dot_rows(x3, w.x);
        b0 += dot_rows(x0, w.y); b1 += dot_rows(x1, w.y); b2 += dot_rows(x2, w.y); b3 += dot_rows(x3, w.y);
        a_sum += dot4I8Packed(0x01010101u, w.x);
        b_sum += dot4I8Packed(0x01010101u, w.y);
      }
      // X' = (X' - 128) + 128, so that 128 times the sum of W' is missing in every accumulator.
      a_state = ((a_state << 13u) | (a_state >> 19u)) ^ fold_rows(a0, a1, a2, a3, 128 * a_sum);
      b_state = ((b_state << 13u) | (b_state >> 19u)) ^ fold_rows(b0, b1, b2, b3, 128 * b_sum);
    }
    if (params.adds_product != 0u && is_inside) {
      let rows = array<vec4<i32>, 8>(a0, a1, a2, a3, b0, b1, b2, b3);
      for (var r = 0u; r < 16u; r++) {
        let place = (16u * i + r) * width + 16u * j + 2u * pair;
        product[place] += rows[r >> 2u][r & 3u] + 128 * a_sum;
        product[place + 1u] += rows[4u + (r >> 2u)][r & 3u] + 128 * b_sum;
      }
    }
    workgroupBarrier();
    states[(thread >> 3u) * 16u + 2u * pair] = a_state;
    states[(thread >> 3u) * 16u + 2u * pair + 1u] = b_state;
    workgroupBarrier();
    if (thread < X_STRIPS * W_STRIPS) {
      draw_ticket(thread, group.y * X_STRIPS + (thread >> 3u), group.x * W_STRIPS + (thread & 7u), panel);
    }
  }
}

fn swap_bytes(v: vec4<u32>) -> vec4<u32> {
  return (v << vec4<u32>(24u)) | ((v & vec4<u32>(0xff00u)) << vec4<u32>(8u))
       | ((v >> vec4<u32>(8u)) & vec4<u32>(0xff00u)) | (v >> vec4<u32>(24u));
}

// Hashes the state of one ticket and records it if its digest, read big-endian, is at most the target.
fn draw_ticket(place: u32, i: u32, j: u32, panel: u32) {
  let digest = hash_state(16u * place);
  let low = swap_bytes(digest[0]);
  let high = swap_bytes(digest[1]);
  let words = array<u32, 8>(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
  for (var k = 0u; k < 8u; k++) {
    let limit = params.target_words[k >> 2u][k & 3u];
    if (words[k] > limit) { return; }
    if (words[k] < limit) { break; }
  }
  if (i >= params.x_strips || j >= params.w_strips) { return; }
  let at = atomicAdd(&found.count, 1u);
  if (at >= arrayLength(&found.wins)) { return; }
  found.wins[at].i = params.x_first + i;
  found.wins[at].j = params.w_first + j;
  found.wins[at].p = panel;
  for (var k = 0u; k < 8u; k++) {
    found.wins[at].digest[k] = digest[k >> 2u][k & 3u];
  }
}

// Four of BLAKE3's mixings side by side: of the columns, or of the diagonals.
fn mix(v: ptr<function, array<vec4<u32>, 4>>, x: vec4<u32>, y: vec4<u32>) {
  var a = (*v)[0]; var b = (*v)[1]; var c = (*v)[2]; var d = (*v)[3];
  a += b + x;
  d = rotate(d ^ a, 16u);
  c += d;
  b = rotate(b ^ c, 12u);
  a += b + y;
  d = rotate(d ^ a, 8u);
  c += d;
  b = rotate(b ^ c, 7u);
  *v = array<vec4<u32>, 4>(a, b, c, d);
}

fn rotate(v: vec4<u32>, bits: u32) -> vec4<u32> {
  return (v >> vec4<u32>(bits)) | (v << vec4<u32>(32u - bits));
}

// BLAKE3 keyed with seed_x over the 64 bytes of a state: one block, which is the root.
fn hash_state(at: u32) -> array<vec4<u32>, 2> {
  // x has the even words of each half of the message, y the odd ones, as the columns and the diagonals take them.
  var x0 = vec4<u32>(states[at], states[at + 2u], states[at + 4u], states[at + 6u]);
  var y0 = vec4<u32>(states[at + 1u], states[at + 3u], states[at + 5u], states[at + 7u]);
  var x1 = vec4<u32>(states[at + 8u], states[at + 10u], states[at + 12u], states[at + 14u]);
  var y1 = vec4<u32>(states[at + 9u], states[at + 11u], states[at + 13u], states[at + 15u]);
  let iv = vec4<u32>(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);
  // The counter is 0, the length 64 bytes, and the flags are chunk start and end, root and keyed.
  var v = array<vec4<u32>, 4>(params.key[0], params.key[1], iv, vec4<u32>(0u, 0u, 64u, 27u));
  for (var round = 0u; round < 7u; round++) {
    mix(&v, x0, y0);
    v = array<vec4<u32>, 4>(v[0], v[1].yzwx, v[2].zwxy, v[3].wxyz);
    mix(&v, x1, y1);
    v = array<vec4<u32>, 4>(v[0], v[1].wxyz, v[2].zwxy, v[3].yzwx);
    let nx0 = vec4<u32>(x0.y, y0.y, y0.w, x0.z);
    let ny0 = vec4<u32>(x0.w, x1.y, x0.x, y1.z);
    let nx1 = vec4<u32>(y0.x, x1.z, y1.x, y1.w);
    let ny1 = vec4<u32>(y1.y, y0.z, x1.w, x1.x);
    x0 = nx0; y0 = ny0; x1 = nx1; y1 = ny1;
  }
  return array<vec4<u32>, 2>(v[0] ^ v[2], v[1] ^ v[3]);
}
