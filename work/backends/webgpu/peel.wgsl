// Removes the noise from a product (protocol, section 3, point 6). Operands are packed as in kernel.wgsl.
//
// @group(0):
//   0  uniform     Shape
//   1  storage, r  packed operand                                   sum_columns
//   2  storage, r  inverse permutations: panels * 1024 bytes        sum_columns
//   3  storage, rw sums, i32 [16 * strips][64]                      sum_columns
//   4  storage, r  sums of X, i32 [16 * x_strips][64]               peel
//   5  storage, r  sums of W', i32 [16 * w_strips][64]              peel
//   6  storage, r  noise rows of X, (stream & 127) - 64             peel
//   7  storage, r  noise rows of W, (stream & 127) - 64             peel
//   8  storage, rw product, i32 [16 * x_strips][16 * w_strips]      peel
//
// sum_columns: dispatch (strips of the operand, 1, 1). It adds up the columns that share a noise column of the other
//   operand.
// peel: dispatch (w_strips, x_strips, 1). Y = X'W'^T - X F^T - (64 + E) W'^T; 32-bit integers wrap, and the result fits.

struct Shape {
  x_strips: u32,
  w_strips: u32,
  panels: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> operand: array<u32>;
@group(0) @binding(2) var<storage, read> inverse: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<i32>;
@group(0) @binding(4) var<storage, read> sums_x: array<i32>;
@group(0) @binding(5) var<storage, read> sums_w: array<i32>;
@group(0) @binding(6) var<storage, read> rows_x: array<u32>;
@group(0) @binding(7) var<storage, read> rows_w: array<u32>;
@group(0) @binding(8) var<storage, read_write> product: array<i32>;

fn get_byte(word: u32, at: u32) -> i32 {
  return bitcast<i32>(word << (24u - 8u * at)) >> 24u;
}

// A thread has one row of a strip and four noise columns.
@compute @workgroup_size(256)
fn sum_columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = thread & 15u;
  let four = thread >> 4u;
  let steps = shape.panels * 16u;
  var total = vec4<i32>();
  for (var step = 0u; step < steps; step++) {
    let places = inverse[step * 16u + four];
    let base = (group.x * steps + step) * 256u + row;
    for (var q = 0u; q < 4u; q++) {
      let column = (places >> (8u * q)) & 63u;
      total[q] += get_byte(operand[base + (column >> 2u) * 16u], column & 3u);
    }
  }
  let out = (group.x * 16u + row) * 64u + four * 4u;
  for (var q = 0u; q < 4u; q++) {
    sums[out + q] = total[q];
  }
}

@compute @workgroup_size(256)
fn peel(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = group.y * 16u + (thread >> 4u);
  let column = group.x * 16u + (thread & 15u);
  var noise = 0;
  for (var four = 0u; four < 16u; four++) {
    let e = rows_x[row * 16u + four];
    let f = rows_w[column * 16u + four];
    for (var q = 0u; q < 4u; q++) {
      let at = four * 4u + q;
      noise += sums_x[row * 64u + at] * get_byte(f, q);
      noise += sums_w[column * 64u + at] * (get_byte(e, q) + 128);
    }
  }
  product[row * 16u * shape.w_strips + column] -= noise;
}
