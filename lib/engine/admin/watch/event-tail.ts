import { queueKeys } from '../../../redis/keys.js';
import { compareStreamIds } from '../../../redis/replies.js';
import type { StreamEntry } from '../../../redis/replies.js';
import { emptyFields, readBatch } from '../../codec/event-batch.js';
import type { EventFields } from '../../codec/event-batch.js';
import type { CommandLink } from '../../connection/command-link.js';
import { RateHistory } from './rate-history.js';
import { FailureList } from './failure-list.js';

/** Most entries of one read; each may hold the events of hundreds of jobs. */
const PAGE = 500;
/** Most reads of one poll. A queue that writes more between two polls is counted in part. */
const PAGES = 20;

/**
 * Follows the events of a queue with short reads that do not block, so that a tool can follow many queues over one
 * connection. It counts events per second of Redis's clock, and collects failures. It sees events as long as the stream
 * keeps them: of a queue that writes faster than the tool polls, it knows only a part, and says so.
 */
export class EventTail {
  readonly rates: RateHistory;
  readonly failures = new FailureList();
  readonly #link: CommandLink;
  readonly #stream: string;
  /** The newest entry that was read, or the time of the first look at an empty stream. */
  #last: string | undefined;
  #isEntry = false;

  /** @param seconds for how long events are counted */
  constructor(link: CommandLink, queue: string, seconds: number) {
    this.#link = link;
    this.#stream = queueKeys(queue).events;
    this.rates = new RateHistory(seconds);
  }

  /**
   * Reads what is new. The first call reads what the stream still has of the last `seconds`.
   * @param now Redis's clock, unix ms
   */
  async poll(now: number): Promise<void> {
    this.rates.advance(now);
    if (this.#last === undefined) await this.#readHistory(now);
    else await this.#readOn(this.#last);
  }

  async #readOn(from: string): Promise<void> {
    for (let page = 1; ; page++) {
      const entries = await this.#range('XRANGE', from, '+');
      // The last entry that was read is read again: if it is gone, so may be others after it. The time of a look at an empty
      // stream is no entry, although a new entry may have the same id.
      const overlaps = this.#isEntry && entries[0]?.[0].toString() === from;
      if (this.#isEntry && !overlaps && entries.length > 0)
        this.rates.markGap(msOf(from), msOf(idOf(entries[0])));
      this.#countAll(overlaps ? entries.slice(1) : entries);
      if (entries.length < PAGE) return;
      from = idOf(entries.at(-1));
      if (page === PAGES) return this.#skip(from);
    }
  }

  /** Reads backward, because the newest events matter most. */
  async #readHistory(now: number): Promise<void> {
    const oldest = Math.max(0, now - this.rates.seconds * 1000);
    const pages: StreamEntry[][] = [];
    let before = '+';
    for (;;) {
      const page = await this.#range('XREVRANGE', before, String(oldest));
      pages.push(page);
      if (page.length < PAGE) break;
      before = `(${idOf(page.at(-1))}`;
      if (pages.length === PAGES) {
        this.rates.markGap(oldest, msOf(before.slice(1)));
        break;
      }
    }
    this.#countAll(pages.flat().reverse());
    // An empty stream has no position: whatever comes next is new.
    this.#last ??= `${String(now)}-0`;
  }

  #countAll(entries: readonly StreamEntry[]): void {
    for (const entry of entries) this.#count(entry);
    const newest = entries.at(-1);
    if (!newest) return;
    this.#last = idOf(newest);
    this.#isEntry = true;
  }

  /** Forgets the position, such as after Redis was emptied or replaced. */
  reset(): void {
    this.#last = undefined;
    this.#isEntry = false;
  }

  async #range(command: 'XRANGE' | 'XREVRANGE', from: string, to: string): Promise<StreamEntry[]> {
    const reply = await this.#link.callBuffer(command, [this.#stream, from, to, 'COUNT', PAGE]);
    return reply as StreamEntry[];
  }

  /** Continues at the end of the stream. */
  async #skip(from: string): Promise<void> {
    const reply = await this.#link.callBuffer('XREVRANGE', [this.#stream, '+', '-', 'COUNT', 1]);
    const [newest] = reply as StreamEntry[];
    if (!newest || compareStreamIds(idOf(newest), from) <= 0) return;
    this.#last = idOf(newest);
    this.rates.markGap(msOf(from), msOf(this.#last));
  }

  #count([id, raw]: StreamEntry): void {
    const at = msOf(id.toString());
    const event = raw[0]?.toString() === 'e' ? String(raw[1]) : '';
    if (event !== 'batch') {
      this.rates.add(at, event, 1);
      if (isOfInterest(event)) this.failures.note(event, fieldsOf(raw), at);
      return;
    }
    const { of = '', jobs = '0', started = jobs } = headOf(raw);
    const events = of.split(',');
    for (const each of events) this.rates.add(at, each, Number(each === 'active' ? started : jobs) || 0);
    if (events.some(isOfInterest)) this.#noteBatch(fieldsOf(raw), at);
  }

  /** A batch that cannot be read was not written by this package. Its events are counted, and no more. */
  #noteBatch(batch: EventFields, at: number): void {
    try {
      for (const { event, jobs, fieldsOf: of } of readBatch(batch)) {
        if (!isOfInterest(event)) continue;
        for (let i = 0; i < jobs; i++) this.failures.note(event, of(i), at);
      }
    } catch {
      // See above.
    }
  }
}

function isOfInterest(event: string): boolean {
  return event === 'failed' || event === 'retry-scheduled' || event === 'dlq';
}

/** The first fields, which say what is in a batch. The others may be large. */
function headOf(raw: readonly Buffer[]): { of?: string; jobs?: string; started?: string } {
  const head: Record<string, string> = {};
  for (let i = 2; i + 1 < Math.min(raw.length, 10); i += 2) head[String(raw[i])] = String(raw[i + 1]);
  return head;
}

function fieldsOf(raw: readonly Buffer[]): EventFields {
  const fields = emptyFields();
  for (let i = 0; i + 1 < raw.length; i += 2) fields[String(raw[i])] = String(raw[i + 1]);
  return fields;
}

function idOf(entry: StreamEntry | undefined): string {
  return entry?.[0].toString() ?? '0-0';
}

function msOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')));
}

/** The key of the events of a queue. */
export function eventsStreamOf(queue: string): string {
  return queueKeys(queue).events;
}
