// The paid share of a window of blocks: tickets settled, of the weight or of the tickets settled if those are more.
// chain_usefulWork, metrics and `inos top` compute the same for their windows.

export function computePaidShare(blocks) {
  const settled = blocks.reduce((sum, block) => sum + (block.tickets_settled ?? 0), 0);
  const weight = blocks.reduce((sum, block) => sum + Number(block.weight ?? 0), 0);
  const most = Math.max(weight, settled);
  return most ? settled / most : 0;
}
