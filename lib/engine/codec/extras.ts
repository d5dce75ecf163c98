/**
 * The data that a job carries beside the five fields of its envelope: one MessagePack map, behind the Job in the same
 * bytes. Readers that do not know it ignore bytes behind the Job. Under this key, the options of a job hold the bytes of
 * the map, and a job in a worker holds the decoded map. User data and options from outside cannot have this key.
 */
export const EXTRAS: unique symbol = Symbol.for('nestjs-chasqui:extras') as never;

/** Options with the bytes of the map. */
export interface WithExtras {
  readonly [EXTRAS]?: Buffer;
}

/** The decoded map. */
export type Extras = Readonly<Record<string, unknown>>;
