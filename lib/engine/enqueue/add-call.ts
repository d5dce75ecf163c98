import { randomUUID } from 'node:crypto';
import type { QueueKeys } from '../../redis/keys.js';
import { add } from '../../redis/scripts/add.js';
import type { AddReply, JobWriter } from '../../redis/scripts/add.js';
import { messageOf } from '../base/errors.js';
import { envelopeBound, writeEnvelope } from '../codec/write-envelope.js';
import type { EventsSettings } from '../config/events-settings.js';
import type { DurabilityOptions } from '../config/options.js';
import type { CommandLink } from '../connection/command-link.js';
import type { Group } from './group.js';
import type { NewJob } from './new-job.js';

/** How often a call prolongs the server's memory of this producer's calls, which lasts ten minutes. */
const PROLONG_MS = 60_000;

const WRITER: JobWriter<NewJob> = { bound: envelopeBound, write: writeEnvelope };

/** Sends the calls of one producer. The server counts each of them once, however often the client sends it. */
export class AddCall {
  readonly producerId = randomUUID();
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #events: EventsSettings;
  readonly #calls: string;
  #sequence = 0;
  /** Monotonic ms. */
  #prolongAt = 0;

  constructor(link: CommandLink, keys: QueueKeys, events: EventsSettings) {
    this.#link = link;
    this.#keys = keys;
    this.#events = events;
    this.#calls = keys.calls(this.producerId);
  }

  /** @param onSettled the call can no longer reach the server, or it has been answered */
  send(groups: readonly Group[], onSettled: () => void): Promise<AddReply> {
    const now = performance.now();
    const prolongs = now >= this.#prolongAt;
    if (prolongs) this.#prolongAt = now + PROLONG_MS;
    const { eventsCap, eventsBatchFrom } = this.#events;
    return add(this.#link, this.#keys, {
      calls: this.#calls,
      sequence: this.#sequence++,
      prolongs,
      maxStreamLen: groups[0]?.maxStreamLen ?? 0,
      eventsCap,
      eventsBatchFrom,
      groups,
      writer: WRITER,
      onSettled,
    });
  }
}

/** Waits until enough replicas have what this connection wrote. Resolves with why they have not, or undefined. */
export async function whyUnconfirmed(
  link: CommandLink,
  { replicas, timeoutMs }: DurabilityOptions,
): Promise<string | undefined> {
  const within = `within ${String(timeoutMs)} ms`;
  try {
    // WAIT is about the writes of its own connection, so it follows the add on the same one.
    const confirmed = Number(await link.call('WAIT', [replicas, timeoutMs]));
    if (confirmed >= replicas) return undefined;
    return `${String(confirmed)} of ${String(replicas)} replicas have it ${within}`;
  } catch (error) {
    return `no replica confirmed it ${within} (${messageOf(error)})`;
  }
}
