/** Most bytes of one call or one reply, unless a single element is larger. */
export const MAX_CALL_BYTES = 4 * 1024 * 1024;

/** Most bytes that one read should return. */
const MAX_READ_BYTES = 8 * 1024 * 1024;
/** Entries of the first read, when their size is not known. */
const FIRST_READ = 16;
/** By which share each read moves the average of the entry size down. */
const FORGETTING = 0.1;

/**
 * Decides how many entries a read requests. XREADGROUP and XREAD bound a reply by its number of entries, and each of them
 * may have a megabyte, so the size of the last entries decides the next count. A server that closes connections during
 * reads most likely has a limit for replies (`client-output-buffer-limit`): then the count goes down.
 */
export class ReadSize {
  #entryBytes = 0;
  #most = Infinity;
  #requested = FIRST_READ;
  #cuts = 0;

  /** How many reads in a row ended because their connection closed. */
  get cuts(): number {
    return this.#cuts;
  }

  /** How many of the `wanted` entries to request now. */
  next(wanted: number): number {
    const byBytes = this.#entryBytes === 0 ? FIRST_READ : Math.floor(MAX_READ_BYTES / this.#entryBytes);
    this.#requested = Math.max(1, Math.min(wanted, byBytes, this.#most));
    return this.#requested;
  }

  /** Records a read that returned entries, or none because its block time ended. */
  brought(entries: number, bytes: number): void {
    this.#cuts = 0;
    if (entries === 0) return;
    if (entries >= this.#most) this.#most *= 2;
    const entryBytes = Math.max(1, bytes / entries);
    // The average rises at once and falls slowly.
    this.#entryBytes =
      entryBytes > this.#entryBytes
        ? entryBytes
        : this.#entryBytes + (entryBytes - this.#entryBytes) * FORGETTING;
  }

  /** Records a read whose connection closed before its reply arrived. */
  cut(): void {
    this.#cuts += 1;
    this.#most = Math.max(1, Math.floor(this.#requested / 4));
  }

  /** The message for repeated cuts. */
  cutMessage(address: string, what: string): string {
    return cutMessage(address, this.#cuts, `${what}; the last one requested ${String(this.#requested)}`);
  }
}

/** Explains why a server most likely closes a connection during a reply. */
export function cutMessage(address: string, cuts: number, what: string): string {
  return (
    `Redis at ${address} closed the connection during ${String(cuts)} reads in a row of ${what}. ` +
    'If the log of Redis mentions output buffer limits, raise "client-output-buffer-limit normal" above the size of the largest job, or set it to 0; ' +
    'otherwise find out what closes the connections, such as a proxy.'
  );
}
