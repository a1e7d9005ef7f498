// The kernel on a graphics card, by WebGPU: the operands, seeds and noise rows come from the kernel in WebAssembly.

import { readWins } from "./kernel.js";

const ENTRIES = 4096 * 11; // words for the wins of one product
const PARAMS_BYTES = 96, PANEL_BYTES = 1024;
const FEATURE = "packed_4x8_integer_dot_product";

// Returns the device of a real card, or null: a fallback adapter is software, which the threads do better. Tests pass
// `acceptsSoftware`.
export async function findCard(acceptsSoftware = false) {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu?.wgslLanguageFeatures?.has(FEATURE)) return null;
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return null;
  const isSoftware = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  if (isSoftware && !acceptsSoftware) return null;
  const name = [adapter.info?.vendor, adapter.info?.description || adapter.info?.architecture];
  return { adapter, name: name.filter(Boolean).join(" ") || "graphics card", isSoftware };
}

export class Card {
  // `source` is the text of kernel.wgsl, `kernel` a Kernel.
  static async open(adapter, source, kernel) {
    const device = await adapter.requestDevice();
    const module = device.createShaderModule({ code: source });
    const make = (entryPoint) => device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint } });
    return new Card(device, await make("add_noise"), await make("multiply"), kernel);
  }

  constructor(device, addNoise, multiply, kernel) {
    Object.assign(this, { device, addNoise, multiply, kernel, buffers: [] });
  }

  open(filler) {
    this.kernel.open(filler);
    this.buffers.forEach((one) => one.destroy());
    this.buffers = [];
    const { strips, panels } = this.kernel, { STORAGE, UNIFORM, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
    const make = (size, usage) => {
      const buffer = this.device.createBuffer({ size, usage });
      this.buffers.push(buffer);
      return buffer;
    };
    this.params = make(PARAMS_BYTES, UNIFORM | COPY_DST);
    this.found = make(4 + 4 * ENTRIES, STORAGE | COPY_DST | COPY_SRC);
    this.copy = make(4 + 4 * ENTRIES, COPY_DST | MAP_READ);
    const product = make(4, STORAGE);
    this.sides = [0, 1].map((which) => {
      const size = strips[which] * panels * 16 * PANEL_BYTES;
      const side = {
        raw: make(size, STORAGE | COPY_DST), rows: make(strips[which] * 1024, STORAGE | COPY_DST),
        perms: make(panels * PANEL_BYTES, STORAGE | COPY_DST), noisy: make(size, STORAGE),
      };
      this.device.queue.writeBuffer(side.raw, 0, this.packRaw(which));
      side.group = this.bind(this.addNoise, { 0: this.params, 5: side.raw, 6: side.rows, 7: side.perms, 8: side.noisy });
      return side;
    });
    const [x, w] = this.sides;
    this.group = this.bind(this.multiply, { 0: this.params, 1: x.noisy, 2: w.noisy, 3: this.found, 4: product });
  }

  bind(pipeline, buffers) {
    const entries = Object.entries(buffers).map(([binding, buffer]) => ({ binding: Number(binding), resource: { buffer } }));
    return this.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  // Returns an operand as the card reads it: [strip][group of 4 columns][16 rows], zero beyond the matrix.
  packRaw(which) {
    const { strips, panels, rows, depth, wasm } = this.kernel;
    const raw = new Int8Array(wasm.memory.buffer, wasm.get_raw(which), rows[which] * depth);
    const groups = panels * 256, packed = new Int8Array(strips[which] * groups * 64);
    for (let row = 0; row < rows[which]; row++) {
      const place = (row >> 4) * groups * 64 + 4 * (row & 15);
      for (let col = 0; col < depth; col++) packed[place + (col >> 2) * 64 + (col & 3)] = raw[row * depth + col];
    }
    return packed;
  }

  // Yields {drawn, wins} of the whole product under an anchor.
  async *draw(anchor, target) {
    const { kernel, device } = this, { strips, panels } = kernel;
    kernel.start(anchor, target);
    this.writeParams(target);
    const encoder = device.createCommandEncoder();
    encoder.clearBuffer(this.found, 0, 4);
    this.sides.forEach((side, which) => {
      const { memory, draw_noise, get_perms } = kernel.wasm;
      const rows = draw_noise(which);
      device.queue.writeBuffer(side.rows, 0, new Uint8Array(memory.buffer, rows, strips[which] * 1024));
      device.queue.writeBuffer(side.perms, 0, new Uint8Array(memory.buffer, get_perms(which), panels * PANEL_BYTES));
      this.run(encoder, this.addNoise, side.group, 4 * panels, strips[which]);
    });
    this.run(encoder, this.multiply, this.group, Math.ceil(strips[1] / 8), Math.ceil(strips[0] / 4));
    encoder.copyBufferToBuffer(this.found, 0, this.copy, 0, this.copy.size);
    device.queue.submit([encoder.finish()]);
    await this.copy.mapAsync(GPUMapMode.READ);
    const bytes = new Uint8Array(this.copy.getMappedRange()).slice();
    this.copy.unmap();
    const count = Math.min(new Uint32Array(bytes.buffer, 0, 1)[0], ENTRIES / 11);
    yield { drawn: strips[0] * strips[1] * panels, wins: readWins(bytes.slice(4, 4 + 44 * count)) };
  }

  run(encoder, pipeline, group, across, down) {
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(across, down);
    pass.end();
  }

  writeParams(target) {
    const { strips, panels } = this.kernel;
    const params = new DataView(new ArrayBuffer(PARAMS_BYTES));
    [strips[0], strips[1], panels, 0, panels, 0, 0, 0].forEach((word, at) => params.setUint32(4 * at, word, true));
    this.kernel.getSeedX().forEach((byte, at) => params.setUint8(32 + at, byte));
    const words = new DataView(target.buffer, target.byteOffset);
    for (let at = 0; at < 32; at += 4) params.setUint32(64 + at, words.getUint32(at), true);
    this.device.queue.writeBuffer(this.params, 0, params.buffer);
  }
}

