/**
 * The columns of the report. `peer` and `ours` are the pair whose ratio has a target; `peerTuned` and `oursQuiet` say
 * what each side gains by its settings.
 *
 * @typedef {'peer' | 'peerTuned' | 'ours' | 'oursQuiet' | 'oursNest' | 'oursTraced' | 'oursSdk' | 'oursPart' | 'peerGroups' | 'oursBefore'} VariantName
 */
export const VARIANTS = {
  peer: { title: 'BullMQ defaults', driver: './bullmq.mjs', options: {} },
  ours: { title: 'chasqui defaults', driver: './chasqui.mjs', options: {} },
  peerTuned: { title: 'BullMQ tuned', driver: './bullmq.mjs', options: { tuned: true } },
  oursQuiet: { title: 'chasqui, no events', driver: './chasqui.mjs', options: { events: false } },
  /** These take part only where a scenario asks for them. */
  oursNest: { title: 'chasqui in Nest', driver: './nest.mjs', options: {} },
  oursTracked: { title: 'chasqui, tracked', driver: './chasqui.mjs', options: { tracked: true } },
  oursTraced: { title: 'chasqui, with telemetry', driver: './traced.mjs', options: {} },
  oursSdk: { title: 'chasqui, in a process with an SDK', driver: './traced.mjs', options: { sdkOnly: true } },
  peerGroups: { title: 'GroupMQ 1.1', driver: './groupmq.mjs', options: {} },
  oursBefore: { title: 'chasqui, before', driver: './before.mjs', options: {} },
  oursPart: { title: 'chasqui, one part changed', driver: './parts.mjs', options: {} },
};

/** What a scenario measures that does not say. */
export const USUAL = ['peer', 'ours', 'peerTuned', 'oursQuiet'];

/** Throws at once where a side cannot be loaded, instead of once a measurement. */
export async function checkVariants(names) {
  for (const name of names) await import(VARIANTS[name].driver);
}

/**
 * @param {VariantName} name
 * @param {number} port
 */
export async function openVariant(name, port) {
  const { driver, options } = VARIANTS[name];
  const { openDriver } = await import(driver);
  return openDriver({ port, ...options });
}
