/** The fields of a map reply: a flat list in RESP2; a Map or an object in RESP3. */
export function fieldsOf(reply: unknown): Map<string, unknown> {
  if (reply instanceof Map) {
    const fields = new Map<string, unknown>();
    for (const [key, value] of reply as Map<unknown, unknown>) fields.set(String(key), value);
    return fields;
  }
  if (Array.isArray(reply)) {
    const fields = new Map<string, unknown>();
    for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1]);
    return fields;
  }
  if (typeof reply !== 'object' || reply === null) return new Map();
  return new Map<string, unknown>(Object.entries(reply));
}

/** A stream entry with its fields flat: `[id, [field, value, …]]`. */
export type StreamEntry = [id: Buffer, fields: Buffer[]];

/** A reply of XREAD or XREADGROUP, in RESP2 or RESP3, as pairs of key and entries. A null reply has none. */
export function streamsOf(reply: unknown): [key: Buffer | string, entries: StreamEntry[]][] {
  if (reply === null || reply === undefined) return [];
  if (Array.isArray(reply)) {
    // RESP2: [[key, entries]…]; a flattened RESP3 map: [key, entries, key, entries…].
    if (reply.length > 0 && !Array.isArray(reply[0])) {
      const pairs: [Buffer | string, StreamEntry[]][] = [];
      for (let i = 0; i + 1 < reply.length; i += 2) {
        pairs.push([reply[i] as Buffer, reply[i + 1] as StreamEntry[]]);
      }
      return pairs;
    }
    return reply as [Buffer | string, StreamEntry[]][];
  }
  if (reply instanceof Map) return [...reply] as [Buffer | string, StreamEntry[]][];
  return Object.entries(reply) as [string, StreamEntry[]][];
}

/** Numeric comparison of two stream ids, `<ms>-<sequence>`. */
export function compareStreamIds(a: string, b: string): number {
  // The same length means the same number of digits on both sides of the dash, for any time until the year 2286.
  if (a.length === b.length && a.indexOf('-') === b.indexOf('-')) return a < b ? -1 : a > b ? 1 : 0;
  const [aMs = '0', aSequence = '0'] = a.split('-');
  const [bMs = '0', bSequence = '0'] = b.split('-');
  const byMs = BigInt(aMs) - BigInt(bMs);
  const order = byMs !== 0n ? byMs : BigInt(aSequence) - BigInt(bSequence);
  return order < 0n ? -1 : order > 0n ? 1 : 0;
}
