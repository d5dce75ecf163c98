import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { EventTail } from '../../engine/admin/watch/event-tail.js';
import type { Failure } from '../../engine/admin/watch/failure-list.js';
import type { CountName } from '../../engine/admin/watch/rate-history.js';
import { messageOf } from '../../engine/base/thrown.js';
import type { Backlog, Queue, WorkerInfo } from '../../engine/index.js';
import type { Servers } from '../../engine/admin/servers.js';
import type { Context } from '../frame/context.js';
import { serverName } from './server-name.js';

/** How far back rates go. */
export const HISTORY_SECONDS = 120;
/** How often events of a busy queue are read: it drops the oldest soon. */
const BUSY_MS = 250;
/** Events per second from which a queue is busy. */
const BUSY_EVENTS = 500;
/** Queues that are not on the screen are read every so many times. */
const HIDDEN_EVERY = 5;
/** How often new queues are looked for. */
const DISCOVER_MS = 15_000;

export interface QueueView {
  readonly name: string;
  /** Undefined until it was read. */
  readonly backlog: Backlog | undefined;
  readonly tail: EventTail;
  /** Why the queue cannot be read. */
  readonly problem: string | undefined;
}

export interface QueueFailure extends Failure {
  readonly queue: string;
}

interface MonitoredQueue {
  readonly name: string;
  readonly queue: Queue;
  readonly tail: EventTail;
  backlog: Backlog | undefined;
  problem: string | undefined;
}

interface MonitorEvents {
  change: [];
}

export interface MonitorOptions {
  /** Undefined: all queues, also those that appear later. */
  readonly names: readonly string[] | undefined;
  readonly intervalMs: number;
}

/** Reads queues again and again, over the one connection of the command. It emits `change` after each round. */
export class Monitor extends EventEmitter<MonitorEvents> {
  readonly #context: Context;
  readonly #servers: Servers;
  readonly #options: MonitorOptions;
  #queues: MonitoredQueue[] = [];
  #visible: ReadonlySet<string> | undefined;
  #selected: string | undefined;
  #workers: WorkerInfo[] = [];
  #serverName: string | undefined;
  #rounds = 0;
  /** When to look for new queues. Infinity while it does. */
  #discoverAt = 0;
  #isDown = false;
  #isWanted = false;
  #wake: AbortController | undefined;

  private constructor(context: Context, servers: Servers, options: MonitorOptions) {
    super();
    this.#context = context;
    this.#servers = servers;
    this.#options = options;
  }

  /**
   * @throws ConnectionError (CMQ-001) if Redis cannot be reached
   * @throws QueueNotFoundError (CMQ-110) for the name of a queue that does not exist
   */
  static async open(context: Context, options: MonitorOptions): Promise<Monitor> {
    const servers = await context.servers();
    const monitor = new Monitor(context, servers, options);
    await servers.link.ready();
    for (const name of options.names ?? []) await monitor.#add(await context.queue(name), name);
    await monitor.#discover();
    monitor.#discoverAt = performance.now() + DISCOVER_MS;
    monitor.#serverName = await serverName(servers);
    await monitor.#round(true);
    return monitor;
  }

  get queues(): readonly QueueView[] {
    return this.#queues;
  }

  get address(): string {
    return this.#servers.link.address;
  }

  /** Such as `Redis 7.0.15`; undefined if the user may not ask. */
  get serverName(): string | undefined {
    return this.#serverName;
  }

  /** The workers of the selected queue. */
  get workers(): readonly WorkerInfo[] {
    return this.#workers;
  }

  /** How long Redis has been out of reach, in ms, and why. Undefined while it answers. */
  get outage(): { readonly ms: number; readonly reason: string } | undefined {
    const { link } = this.#servers;
    if (!this.#isDown && link.info.status === 'ready') return undefined;
    return { ms: link.downMs, reason: link.info.lastError ?? link.info.status };
  }

  /** The failures of all queues, newest first. */
  failures(most: number): QueueFailure[] {
    return this.#queues
      .flatMap(({ name, tail }) => tail.failures.all.slice(-most).map((one) => ({ ...one, queue: name })))
      .sort((a, b) => b.at - a.at)
      .slice(0, most);
  }

  /** Reads these queues in every round, and the others less often. */
  show(names: readonly string[]): void {
    this.#visible = new Set(names);
  }

  /** Reads the workers of this queue. */
  select(name: string | undefined): void {
    if (name === this.#selected) return;
    this.#selected = name;
    this.#workers = [];
    this.refresh();
  }

  /** Reads at once, because something has changed. */
  refresh(): void {
    this.#isWanted = true;
    this.#wake?.abort();
  }

  /** Looks for new queues at once. */
  rediscover(): void {
    if (this.#discoverAt !== Infinity) this.#discoverAt = 0;
    this.refresh();
  }

  /** Reads until the signal is aborted, or `rounds` times. */
  async run(signal: AbortSignal, rounds = Infinity): Promise<void> {
    const onAbort = (): void => this.refresh();
    signal.addEventListener('abort', onAbort);
    try {
      let nextRound = performance.now() + this.#options.intervalMs;
      for (let done = 1; done < rounds && !signal.aborted;) {
        const isWoken = await this.#pause(nextRound - performance.now());
        if (signal.aborted) return;
        const isDue = isWoken || performance.now() >= nextRound;
        if (isDue) {
          nextRound = performance.now() + this.#options.intervalMs;
          done += 1;
        }
        await this.#round(isDue);
        if (isDue) this.emit('change');
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Waits until the next round, or until the busy queues have to be read. True if it was woken. */
  async #pause(ms: number): Promise<boolean> {
    const isBusy = this.#queues.some((queue) => isBusyQueue(queue));
    this.#wake = new AbortController();
    const { signal } = this.#wake;
    if (!this.#isWanted) {
      const next = isBusy || this.#isDown ? Math.min(ms, BUSY_MS) : ms;
      await delay(Math.max(1, next), undefined, { signal }).catch(() => undefined);
    }
    const isWoken = this.#isWanted;
    this.#isWanted = false;
    return isWoken;
  }

  /** @param full false: only the events of busy queues */
  async #round(full: boolean): Promise<void> {
    const { link } = this.#servers;
    if (link.info.status !== 'ready') {
      this.#isDown = true;
      return;
    }
    try {
      const now = await this.#now();
      if (full) this.#rounds += 1;
      const due = this.#queues.filter((queue, i) => (full ? this.#isDue(queue.name, i) : isBusyQueue(queue)));
      await Promise.all(due.map((queue) => this.#read(queue, now, full)));
      if (full) await this.#readWorkers();
      this.#isDown = link.info.status !== 'ready';
    } catch {
      this.#isDown = true;
    }
    if (full && performance.now() >= this.#discoverAt) this.#discoverLater();
  }

  #isDue(name: string, index: number): boolean {
    return (
      this.#visible === undefined || this.#visible.has(name) || (this.#rounds + index) % HIDDEN_EVERY === 0
    );
  }

  /** Redis's clock, unix ms. */
  async #now(): Promise<number> {
    const [seconds, micros] = (await this.#servers.link.call('TIME', [])) as [string, string];
    return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
  }

  async #read(queue: MonitoredQueue, now: number, full: boolean): Promise<void> {
    try {
      const [backlog] = await Promise.all([
        full ? queue.queue.getBacklog() : undefined,
        queue.tail.poll(now),
      ]);
      queue.backlog = backlog ?? queue.backlog;
      queue.problem = undefined;
    } catch (error) {
      // A key of the wrong type concerns one queue, an outage all of them.
      if (this.#servers.link.info.status !== 'ready') throw error;
      queue.problem = messageOf(error);
    }
  }

  async #readWorkers(): Promise<void> {
    const selected = this.#queues.find(({ name }) => name === this.#selected);
    if (!selected) return;
    try {
      const workers = await selected.queue.getWorkers();
      if (selected.name === this.#selected) this.#workers = workers.sort(byHost);
    } catch (error) {
      if (this.#servers.link.info.status !== 'ready') throw error;
      selected.problem = messageOf(error);
    }
  }

  /** A large database takes a while to scan: the rounds do not wait for it, and it is scanned less often. */
  #discoverLater(): void {
    const begun = performance.now();
    this.#discoverAt = Infinity;
    this.#discover()
      .then(
        () => this.emit('change'),
        () => undefined,
      )
      .finally(() => {
        const took = performance.now() - begun;
        this.#discoverAt = performance.now() + Math.max(DISCOVER_MS, 20 * took);
      });
  }

  async #discover(): Promise<void> {
    if (this.#options.names !== undefined) return;
    const names = await this.#context.queueNames();
    const known = new Set(this.#queues.map(({ name }) => name));
    for (const name of names) {
      if (!known.has(name)) await this.#add(await this.#context.queue(name, { create: true }), name);
    }
    const there = new Set(names);
    this.#queues = this.#queues
      .filter(({ name }) => there.has(name))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async #add(queue: Queue, name: string): Promise<void> {
    const tail = new EventTail(this.#servers.link, name, HISTORY_SECONDS);
    this.#queues.push({ name, queue, tail, backlog: undefined, problem: undefined });
  }
}

function isBusyQueue({ tail: { rates } }: MonitoredQueue): boolean {
  return COUNTED.reduce((sum, name) => sum + rates.perSecond(name, 2), 0) > BUSY_EVENTS;
}

/** Workers that say who they are come first. */
function byHost(a: WorkerInfo, b: WorkerInfo): number {
  const nameOf = ({ host, pid, id }: WorkerInfo): string => `${host ?? '\uffff'} ${String(pid)} ${id}`;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

export const COUNTED: readonly CountName[] = ['queued', 'started', 'completed', 'failed'];
