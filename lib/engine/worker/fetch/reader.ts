import { Command } from 'ioredis';
import type { Client } from '../../../redis/client.js';
import { discard, isCluster, send } from '../../../redis/client.js';
import { EntryTap } from '../../../redis/entry-tap.js';
import { settlesWithin, withDeadline } from '../../../redis/deadline.js';
import type { QueueKeys } from '../../../redis/keys.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { confirmStarts } from '../../../redis/scripts/confirm-starts.js';
import { createGroup } from '../../../redis/scripts/create-group.js';
import { GATE_KEY } from '../../../redis/scripts/take.js';
import { Timer, sleep } from '../../../redis/timer.js';
import { connect } from '../../connection/connect.js';
import { toConnectionError } from '../../connection/explain.js';
import type { CommandLink } from '../../connection/command-link.js';
import { ConnectionError, ShutdownError, messageOf } from '../../base/errors.js';
import { ReadSize } from '../../connection/read-size.js';
import { Service } from '../../base/service.js';
import type { Delivery } from '../lease/delivery.js';
import { connectionName } from '../identity.js';
import { bytesOf, decodedParts, tappedParts, workOf } from './brought.js';
import { Takes } from './takes.js';
import type { Sender } from './takes.js';
import { ReadingTimes } from '../health.js';
import type { ReadingHealth } from '../health.js';
import type { ReaderSettings } from './reader-settings.js';

/** How long after its block time a read may stay without an answer before its connection is thrown away. */
const GRACE_MS = 1_500;
/** After so long without room for more jobs, wake entries are listened for by themselves. */
const FULL_MS = 100;
/** Most wake entries of one read, where it is only for them. */
const WAKES = 100;
/** On a gated queue, wake entries are read so often while there is always work, in ms. */
const WAKES_EVERY_MS = 50;
/** Longest time for one reconnection, in ms: a server that drops all packets must not block the reader. */
const RECONNECT_TIMEOUT_MS = 2_500;

/** Fetches work: one blocking read after the other on the worker's own connection, never more than can run soon. */
export class Reader extends Service {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #settings: ReaderSettings;
  readonly #streams: readonly string[];
  #client: Client | undefined;
  #clientId: number | undefined;
  #tap: EntryTap<Delivery> | undefined;
  #loop: Promise<void> | undefined;
  /** When wake entries were last asked for; monotonic ms. */
  #lastRead = 0;
  readonly #takes: Takes;
  readonly #times: ReadingTimes;
  readonly #size = new ReadSize();
  /** Ends the read that is under way: its connection is closed. */
  #cutRead: (() => void) | undefined;

  constructor(link: CommandLink, keys: QueueKeys, settings: ReaderSettings) {
    super();
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#streams = settings.readsWork ? [keys.stream, ...settings.wakeStreams] : settings.wakeStreams;
    const { consumerId } = settings;
    this.#takes = new Takes(keys, settings, {
      fetch: (send, heard) => this.#fetch(send, 0, heard),
      wait: (ms) => this.#untilMore(ms),
      listen: () => this.#listen(),
      confirm: (starts) => confirmStarts(link, keys, { consumerId, starts }),
    });
    this.#times = new ReadingTimes(() => settings.clock.monotonic());
  }

  get health(): ReadingHealth {
    return this.#times.health;
  }

  /** Creates the groups and the connection; throws where Redis cannot be used. */
  protected async onStart(): Promise<void> {
    await this.#createGroups();
    await this.#connected(this.#settings.connectTimeoutMs);
    this.#loop = this.#run();
  }

  protected async onStop(deadlineMs: number): Promise<void> {
    const client = this.#client;
    if (client?.status === 'ready' && this.#loop) await this.#endRead(this.#loop, Math.min(500, deadlineMs));
    if (client) discard(client);
    await this.#loop;
  }

  /** Lets the read come to its end, so that nothing is delivered to a connection that is gone. */
  async #endRead(loop: Promise<void>, ms: number): Promise<void> {
    const { nudge, clock } = this.#settings;
    const end = clock.monotonic() + ms;
    const left = (): number => Math.max(0, end - clock.monotonic());
    if (nudge) {
      // An entry is there also for a read that reaches Redis after it, where CLIENT UNBLOCK would find nothing to end.
      await settlesWithin(nudge(), left());
      await settlesWithin(loop, left());
      return;
    }
    while (this.#clientId !== undefined && left() > 0) {
      await settlesWithin(this.#link.call('CLIENT', ['UNBLOCK', this.#clientId]), left());
      if (await settlesWithin(loop, Math.min(left(), 20))) return;
    }
  }

  async #run(): Promise<void> {
    while (!this.isStopping) {
      try {
        this.#times.waitsForRoom();
        const count = await this.#capacity();
        if (count === 0) break;
        this.#times.asks();
        if (!this.#client) {
          await this.#connected(RECONNECT_TIMEOUT_MS);
          // By now, the worker may know that it must not fetch.
          continue;
        }
        const most = this.#size.next(count);
        if (this.#settings.isGated?.()) await this.#takes.next(most);
        else await this.#read(most);
        this.#times.answered();
      } catch (error) {
        if (this.isStopping) break;
        const told = this.#link.markOutage(
          this.#client ? toConnectionError(error, this.#client, false) : error,
        );
        const isNew = this.#times.health.lastError !== messageOf(told);
        await this.#recover(error, this.#times.failed(messageOf(told)), isNew ? told : undefined);
      }
    }
  }

  /** Resolves with how many entries may be fetched. Reads wake entries until then: they may cancel running jobs. */
  async #capacity(): Promise<number> {
    const { capacity, nudge, wakeStreams, onError } = this.#settings;
    const room = capacity();
    if (!nudge || (await settlesWithin(room, FULL_MS))) return room;
    let isFull = true;
    void room.then(() => {
      isFull = false;
      if (!this.isStopping) nudge().catch(onError);
    });
    while (isFull && !this.isStopping) {
      await this.#read(WAKES, wakeStreams);
      this.#times.answered();
    }
    return room;
  }

  /** @param blockMs 0 = it does not wait */
  async #read(count: number, streams = this.#streams, blockMs = this.#settings.blockMs): Promise<void> {
    const { group, consumerId } = this.#settings;
    const read = ['GROUP', group, consumerId, 'COUNT', String(count)];
    if (blockMs > 0) read.push('BLOCK', String(blockMs));
    const args = [...read, 'STREAMS', ...streams, ...streams.map(() => '>')];
    this.#lastRead = this.#settings.clock.monotonic();
    await this.#fetch(
      (sender) => sendTo(sender, new Command('xreadgroup', args, { replyEncoding: null })),
      blockMs,
    );
  }

  /** Reads wake entries for so many ms. Redis may end a blocking read 100 ms late, so this has a timer of its own. */
  async #untilMore(ms: number): Promise<void> {
    const { wakeStreams, nudge, onError } = this.#settings;
    const timer = new Timer(ms, () => {
      nudge?.().catch(onError);
    });
    await this.#read(WAKES, wakeStreams, ms + GRACE_MS);
    timer.clear();
  }

  /** Reads the wake entries that are there, unless it has done so a short while ago. */
  async #listen(): Promise<void> {
    const { clock, wakeStreams } = this.#settings;
    if (clock.monotonic() - this.#lastRead > WAKES_EVERY_MS) await this.#read(WAKES, wakeStreams, 0);
  }

  /**
   * Sends one call on this connection, and passes on what its reply brings. Resolves with the jobs that it has brought.
   * @param send calls `sendCommand` at most once at a time
   * @param heard gets the entries under {@link GATE_KEY}, and how many jobs came. Returns in how many ms these may start
   */
  async #fetch(
    send: (sender: Sender) => Promise<unknown>,
    blockMs: number,
    heard?: (entries: readonly StreamEntry[], jobs: number) => number,
  ): Promise<readonly Delivery[]> {
    const client = this.#client ?? (await this.#connected(RECONNECT_TIMEOUT_MS));
    // A call that was given up may still send, on its own connection, while the next one has another.
    const tap = this.#tap;
    const sentAt = this.#settings.clock.monotonic();
    const sender: Sender = {
      sendCommand: (command: Command) => {
        tap?.arm();
        return client.sendCommand(command);
      },
    };
    const reply = await withDeadline(
      this.#untilCut(() => send(sender)),
      blockMs + GRACE_MS,
      () =>
        new ConnectionError(
          `Redis at ${this.#link.address} did not answer a blocking read; connecting anew.`,
        ),
    );
    const tapped = tap?.finish();
    const { parts, others } = tapped ? tappedParts(tapped) : decodedParts(reply, this.#keys.stream);
    const work = parts.length === 1 ? (parts[0] as Delivery[]) : parts.flat();
    this.#size.brought(work.length, bytesOf(work));
    if (work.length > 0) this.#times.brought(tapped !== undefined);
    const gate = others.find(([key]) => key === GATE_KEY);
    const startsInMs = (gate && heard?.(gate[1], work.length)) ?? 0;
    if (startsInMs > 0 && work.length > 0) await this.#past(startsInMs);
    for (const part of parts) this.#settings.deliver(part, sentAt);
    for (const [key, entries] of others) if (key !== GATE_KEY) this.#woken(key, entries);
    return work;
  }

  /**
   * Rejects as soon as the connection is closed: ioredis would send the read again, and with a server that closes the
   * connection because the reply is too large, this would go on until the whole stream is pending here.
   */
  #untilCut(send: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#cutRead = () => {
        this.#size.cut();
        reject(new CutError(this.#size.cutMessage(this.#link.address, 'jobs')));
      };
      send().then(resolve, reject);
    }).finally(() => {
      this.#cutRead = undefined;
    });
  }

  /** Resolves when so many ms are over. A timer may fire a little early. */
  async #past(ms: number): Promise<void> {
    const { clock } = this.#settings;
    const end = clock.monotonic() + ms;
    for (let left = ms; left > 0; left = end - clock.monotonic()) await sleep(Math.ceil(left));
  }

  #woken(stream: string, entries: readonly StreamEntry[]): void {
    for (const entry of entries) this.#settings.woken(stream, entry);
  }

  /** @param told what to report; undefined where the previous try failed in the same way */
  async #recover(error: unknown, failures: number, told: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : '';
    if (/NOGROUP|UNBLOCKED|no longer exists/.test(message)) {
      // The stream or its group was deleted, or the node changed its role. The group starts at 0, never at $: jobs
      // that were added meanwhile are there.
      try {
        await this.#createGroups();
        await this.#settings.refresh?.();
        if (failures <= 1) return;
        told = undefined;
      } catch (again) {
        told = again;
      }
    } else if (error instanceof CutError && this.#size.cuts === 1) {
      // One cut is normal: Redis has closed an idle connection, or an operator has.
      this.#dropClient();
      return;
    } else {
      this.#link.probe();
      this.#dropClient();
    }
    await sleep(Math.min(25 * 2 ** Math.min(failures, 6), 1_000));
    // Not earlier: where all connections are lost, the command connection reports it, once.
    if (told !== undefined && !this.isStopping) this.#settings.onError(told);
  }

  async #connected(timeoutMs: number): Promise<Client> {
    if (!this.#client) {
      // `stop` has run while the groups were created, so nothing would close a connection that is opened now.
      if (this.isStopping) throw new ShutdownError('The worker was closed while it started.');
      const client = this.#link.openBlocking(connectionName(this.#keys.queue, this.#settings.consumerId));
      this.#client = client;
      client.on('ready', () => {
        // On a cluster, any node may answer, so there is no single socket to tap.
        this.#tap = isCluster(client) ? undefined : EntryTap.on(client.stream, workOf(this.#keys.stream));
        if (!this.#settings.nudge) void this.#identify(client);
      });
      client.on('close', () => {
        if (client === this.#client && !isCluster(client)) this.#cutRead?.();
      });
      try {
        await connect(client, timeoutMs);
        await this.#settings.refresh?.();
      } catch (error) {
        this.#dropClient();
        throw error;
      }
    }
    return this.#client;
  }

  /** Learns the connection's id, for CLIENT UNBLOCK. On a cluster that command would reach an arbitrary node. */
  async #identify(client: Client): Promise<void> {
    if (isCluster(client)) return;
    try {
      const id = Number(await send(client, 'CLIENT', ['ID']));
      if (client === this.#client) this.#clientId = id;
    } catch {
      // Not allowed by the ACL, or cut off again: stopping then closes the connection instead.
      this.#clientId = undefined;
    }
  }

  #dropClient(): void {
    if (this.#client) discard(this.#client);
    this.#client = undefined;
    this.#clientId = undefined;
    this.#tap = undefined;
  }

  async #createGroups(): Promise<void> {
    const { group, consumerId } = this.#settings;
    const [stream, ...others] = this.#streams as [string, ...string[]];
    // Other workers must know of this one while it is idle, too.
    const consumer = stream === this.#keys.stream ? consumerId : undefined;
    await createGroup(this.#link, this.#keys, { stream, group, consumer, others });
  }
}

class CutError extends ConnectionError {}

function sendTo(sender: Sender, command: Command): Promise<unknown> {
  return sender.sendCommand(command) as Promise<unknown>;
}
