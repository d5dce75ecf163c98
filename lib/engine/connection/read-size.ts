/** What one call, or one reply, holds at most, in bytes, where one thing alone is not larger. */
export const MAX_CALL_BYTES = 4 * 1024 * 1024;

/** What one read should bring at most, in bytes. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** Entries of the first read, when nobody knows how large they are. */
const FIRST_READ = 16;
/** How fast a large read is forgotten: a share of it for each later one. */
const FORGETTING = 0.1;

/**
 * How many entries a read may ask for. XREADGROUP and XREAD bound a reply by its entries only, and each of them may be a
 * megabyte: so the size of what came last says how many are asked for next. A server that closes the connection in the
 * middle of reads most likely has a limit for replies (`client-output-buffer-limit`): then fewer are asked for.
 */
export class ReadSize {
  #entryBytes = 0;
  #most = Infinity;
  #asked = FIRST_READ;
  #cuts = 0;

  /** Reads in a row that ended with their connection. */
  get cuts(): number {
    return this.#cuts;
  }

  /** How many of `wanted` entries to ask for now. */
  next(wanted: number): number {
    const byBytes = this.#entryBytes === 0 ? FIRST_READ : Math.floor(MAX_READ_BYTES / this.#entryBytes);
    this.#asked = Math.max(1, Math.min(wanted, byBytes, this.#most));
    return this.#asked;
  }

  /** A read has brought so many entries; none where its time was over. */
  brought(entries: number, bytes: number): void {
    this.#cuts = 0;
    if (entries === 0) return;
    if (entries >= this.#most) this.#most *= 2;
    const entryBytes = Math.max(1, bytes / entries);
    // Large ones count at once.
    this.#entryBytes =
      entryBytes > this.#entryBytes
        ? entryBytes
        : this.#entryBytes + (entryBytes - this.#entryBytes) * FORGETTING;
  }

  /** The connection was closed before the reply was here. */
  cut(): void {
    this.#cuts += 1;
    this.#most = Math.max(1, Math.floor(this.#asked / 4));
  }

  /** What the user should know once it happens again and again. */
  cutMessage(address: string, what: string): string {
    return cutMessage(address, this.#cuts, `${what}; the last asked for ${String(this.#asked)}`);
  }
}

/** Says why a server most likely closes a connection while it answers. */
export function cutMessage(address: string, cuts: number, what: string): string {
  return (
    `Redis at ${address} closed the connection during ${String(cuts)} reads in a row of ${what}. ` +
    'If the log of Redis speaks of output buffer limits, raise "client-output-buffer-limit normal" above the size of the largest job, or set it to 0; ' +
    'else look for what closes connections on the way, such as a proxy.'
  );
}
