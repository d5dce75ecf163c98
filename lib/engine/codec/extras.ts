/**
 * What a job carries beside the five fields of its envelope: one MessagePack map, behind the Job in the same bytes.
 * Readers that know nothing of it ignore bytes behind the Job. Under this key, options of a job hold its bytes, and a
 * job in a worker what they say. It is no name that user data or options from outside could bear.
 */
export const EXTRAS: unique symbol = Symbol.for('nestjs-chasqui:extras') as never;

/** Options with the bytes of the map. */
export interface WithExtras {
  readonly [EXTRAS]?: Buffer;
}

/** The map, as read. */
export type Extras = Readonly<Record<string, unknown>>;
