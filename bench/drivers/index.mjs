/**
 * The columns of the report. `peer` and `ours` are the pair whose ratio has a target; the other two say what each side
 * gains by its settings.
 *
 * @typedef {'peer' | 'peerTuned' | 'ours' | 'oursQuiet'} VariantName
 */
export const VARIANTS = {
  peer: { title: 'BullMQ defaults', driver: './bullmq.mjs', options: {} },
  ours: { title: 'chasqui defaults', driver: './chasqui.mjs', options: {} },
  peerTuned: { title: 'BullMQ tuned', driver: './bullmq.mjs', options: { tuned: true } },
  oursQuiet: { title: 'chasqui, no events', driver: './chasqui.mjs', options: { events: false } },
};

/**
 * @param {VariantName} name
 * @param {number} port
 */
export async function openVariant(name, port) {
  const { driver, options } = VARIANTS[name];
  const { openDriver } = await import(driver);
  return openDriver({ port, ...options });
}
