import type { QueueKeys } from '../../redis/keys.js';
import type { ScriptArgument } from '../../redis/scripts.js';
import type { CommandLink } from '../connection/connections.js';
import { findDelayed, findWaiting } from './search.js';
import type { Place } from './search.js';

/**
 * What became of a job that was to be cancelled. `removed`: it had not started, and never runs. `signalled`: a worker
 * holds it and was told. `gone`: there is no live job of this id.
 */
export type CancelOutcome = 'removed' | 'signalled' | 'gone';

/** How far to go: see lua/cancel.lua. */
type Scope = 'delayed' | 'waiting' | 'running';

/** Of lua/cancel.lua. */
const REMOVED = 1;
const HELD = 2;
const UNKNOWN = 3;

type Look = (link: CommandLink, keys: QueueKeys, ids: ReadonlySet<string>) => Promise<Place[]>;

/**
 * Where to look for jobs that have no marker, in this order: a job that is promoted meanwhile is met in the stream, and,
 * where running jobs count, one that goes back for a retry in the delayed set.
 */
const LOOKS: Readonly<Record<Scope, readonly Look[]>> = {
  delayed: [findDelayed],
  waiting: [findDelayed, findWaiting],
  running: [findDelayed, findWaiting, findDelayed],
};

/** Removes jobs that are delayed or wait for a retry. True for one that was still there: it never runs. */
export async function cancelDelayed(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
): Promise<boolean[]> {
  return (await take(link, keys, ids, 'delayed')).map((state) => state === REMOVED);
}

/** The same for one that waits in the work stream too. */
export async function removeJob(link: CommandLink, keys: QueueKeys, id: string): Promise<boolean> {
  const [state] = await take(link, keys, [id], 'waiting');
  return state === REMOVED;
}

/** Ends a job wherever it is. */
export async function cancelJob(link: CommandLink, keys: QueueKeys, id: string): Promise<CancelOutcome> {
  const [state] = await take(link, keys, [id], 'running');
  return state === REMOVED ? 'removed' : state === HELD ? 'signalled' : 'gone';
}

/** An id of the caller's is found by its index or its marker; another is searched for. */
async function take(
  link: CommandLink,
  keys: QueueKeys,
  ids: readonly string[],
  scope: Scope,
): Promise<number[]> {
  const states = await ask(
    link,
    keys,
    scope,
    ids.map((id) => ({ id })),
  );
  const search = searchOf(link, keys, scope);
  const found = states.map(async (state, index) =>
    state === UNKNOWN ? search.take(ids[index] as string) : state,
  );
  return Promise.all(found);
}

/** Most jobs, and bytes, of one call. */
const MAX_JOBS = 1_000;
const MAX_BYTES = 4 * 1024 * 1024;

async function ask(
  link: CommandLink,
  keys: QueueKeys,
  scope: Scope,
  places: readonly Place[],
): Promise<number[]> {
  const states: number[] = [];
  while (states.length < places.length) {
    const args: ScriptArgument[] = [scope];
    let bytes = 0;
    for (const { id, member = '', entryId = '' } of places.slice(states.length, states.length + MAX_JOBS)) {
      if (bytes > 0 && bytes + member.length > MAX_BYTES) break;
      bytes += id.length + member.length;
      args.push(id, member, entryId);
    }
    states.push(...((await link.run('cancel', keys, args)) as number[]));
  }
  return states;
}

const searches = new WeakMap<CommandLink, Map<Scope, Search>>();

function searchOf(link: CommandLink, keys: QueueKeys, scope: Scope): Search {
  let ofLink = searches.get(link);
  if (!ofLink) searches.set(link, (ofLink = new Map<Scope, Search>()));
  let search = ofLink.get(scope);
  if (!search) ofLink.set(scope, (search = new Search(link, keys, scope)));
  return search;
}

interface Wanted {
  promise: Promise<number>;
  resolve: (state: number) => void;
  reject: (error: unknown) => void;
}

/**
 * Searches for all that are wanted at once: those that are asked for in a tick, and then those that were asked for while
 * that search was under way. A search by each of them would walk through the same stream again and again.
 */
class Search {
  readonly #link: CommandLink;
  readonly #keys: QueueKeys;
  readonly #scope: Scope;
  readonly #wanted = new Map<string, Wanted>();
  #isUnderWay = false;

  constructor(link: CommandLink, keys: QueueKeys, scope: Scope) {
    this.#link = link;
    this.#keys = keys;
    this.#scope = scope;
  }

  /** Resolves with what became of the job. */
  take(id: string): Promise<number> {
    let wanted = this.#wanted.get(id);
    if (!wanted) {
      let resolve: Wanted['resolve'] = () => undefined;
      let reject: Wanted['reject'] = () => undefined;
      const promise = new Promise<number>((whenTaken, whenFailed) => {
        resolve = whenTaken;
        reject = whenFailed;
      });
      wanted = { promise, resolve, reject };
      this.#wanted.set(id, wanted);
    }
    if (!this.#isUnderWay) {
      this.#isUnderWay = true;
      process.nextTick(() => void this.#run());
    }
    return wanted.promise;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (this.#wanted.size > 0) {
      const batch = new Map([...this.#wanted].slice(0, MAX_JOBS));
      for (const id of batch.keys()) this.#wanted.delete(id);
      try {
        const states = await this.#takeAll(new Set(batch.keys()));
        for (const [id, { resolve }] of batch) resolve(states.get(id) ?? UNKNOWN);
      } catch (error) {
        for (const { reject } of batch.values()) reject(error);
      }
    }
    this.#isUnderWay = false;
  }

  async #takeAll(unknown: Set<string>): Promise<Map<string, number>> {
    const found = new Map<string, number>();
    for (const look of LOOKS[this.#scope]) {
      if (unknown.size === 0) break;
      const places = await look(this.#link, this.#keys, unknown);
      const states = await ask(this.#link, this.#keys, this.#scope, places);
      places.forEach(({ id }, index) => {
        const state = states[index] ?? UNKNOWN;
        if (state === UNKNOWN) return;
        found.set(id, state);
        unknown.delete(id);
      });
    }
    return found;
  }
}
