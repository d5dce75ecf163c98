import { printable } from '../../engine/base/printable.js';
import { messageOf } from '../../engine/base/thrown.js';
import { CommandLink } from '../../engine/connection/command-link.js';
import { StreamFeed } from '../../engine/connection/stream-feed.js';
import { eventsStreamOf } from '../../engine/admin/watch/event-tail.js';
import { eventFilter, startAfter } from '../events/filter.js';
import type { EventFilter } from '../events/filter.js';
import { eventsOf } from '../events/read-entry.js';
import type { RawEntry, ReadEvent } from '../events/read-entry.js';
import type { Context } from '../frame/context.js';
import { exitCodeOf } from '../frame/interrupt.js';
import { cell, jsonable, span } from '../output/values.js';

export interface EventsOptions extends EventFilter {
  readonly since?: string;
  readonly follow: boolean;
  readonly limit?: number;
}

/** Entries of one read; each may hold the events of hundreds of jobs. */
const PAGE = 200;

export async function events(
  context: Context,
  [name]: readonly [string],
  options: EventsOptions,
): Promise<number | undefined> {
  const isWanted = eventFilter(options);
  await context.queue(name);
  const { link } = await context.servers();
  const stream = eventsStreamOf(name);
  let left = options.limit ?? Infinity;
  const print = (entry: RawEntry): boolean => {
    for (const one of eventsOf(entry)) {
      if (left > 0 && isWanted(one)) {
        left -= 1;
        printEvent(context, one);
      }
    }
    return left > 0;
  };
  const newest = await newestId(link, stream);
  let after = newest;
  if (options.since !== undefined || !options.follow) {
    after = startAfter(options.since ?? '0-0', await timeOf(link));
    for await (const entry of history(context, link, stream, after, newest)) {
      after = String(entry[0]);
      if (!print(entry)) return undefined;
    }
  }
  return options.follow ? follow(context, stream, after, print) : undefined;
}

async function* history(
  { signal }: Context,
  link: CommandLink,
  stream: string,
  after: string,
  newest: string,
): AsyncGenerator<RawEntry> {
  for (;;) {
    signal.throwIfAborted();
    const reply = await link.callBuffer('XRANGE', [stream, `(${after}`, newest, 'COUNT', PAGE]);
    const page = reply as [Buffer, Buffer[]][];
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return;
    after = last[0].toString();
  }
}

/** Prints new events until Ctrl-C, or until `print` wants no more. Survives outages of Redis. */
async function follow(
  context: Context,
  stream: string,
  after: string,
  print: (entry: RawEntry) => boolean,
): Promise<number | undefined> {
  const { signal } = context;
  const ended = new AbortController();
  const link = new CommandLink(
    await context.connection(),
    {},
    {
      outage: (error) => {
        context.out.note(`chasqui: ${printable(messageOf(error))} Trying again.`);
        return true;
      },
      reconnected: () => {
        context.out.note('chasqui: Redis answers again.');
      },
      warning: () => true,
    },
  );
  const feed = new StreamFeed({
    link,
    stream,
    what: 'events',
    lastId: after,
    onEntry: (entry) => {
      if (!ended.signal.aborted && !print(entry)) ended.abort();
    },
    onError: (error) => {
      if (!link.isFromOutage(error)) context.out.note(`chasqui: ${printable(messageOf(error))}`);
    },
  });
  const stop = AbortSignal.any([signal, ended.signal]);
  const stopped = new Promise<void>((resolve) => {
    stop.addEventListener('abort', () => {
      resolve();
    });
    if (stop.aborted) resolve();
  });
  try {
    await Promise.race([feed.run(), stopped]);
  } finally {
    await feed.close();
  }
  return exitCodeOf(signal);
}

async function newestId(link: CommandLink, stream: string): Promise<string> {
  const reply = (await link.call('XREVRANGE', [stream, '+', '-', 'COUNT', 1])) as [string, unknown][];
  return reply[0]?.[0] ?? '0-0';
}

async function timeOf(link: CommandLink): Promise<number> {
  const [seconds, micros] = (await link.call('TIME', [])) as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

function printEvent({ out }: Context, { id, event, jobId, name, ts, data }: ReadEvent): void {
  out.record({ id, event, jobId: jobId || null, name: name || null, ts, ...asJson(data) });
  if (out.json) return;
  const { dim, cyan } = out.colors;
  const color = colorOf(out.colors, event);
  const time = new Date(ts).toISOString();
  const rest = Object.entries(data).flatMap(([key, value]) => {
    const text = valueOf(key, value);
    return text === undefined ? [] : `${dim(`${SHORT[key] ?? printable(key)}=`)}${text}`;
  });
  out.text(
    [dim(time), color(printable(event).padEnd(15)), cyan(cell(jobId)), cell(name), ...rest]
      .join('  ')
      .trimEnd(),
  );
}

/** Shorter words for a line. */
const SHORT: Readonly<Record<string, string>> = {
  durationUs: 'took',
  failedReason: 'reason',
  backoffMs: 'in',
  delay: 'in',
  returnvalue: 'result',
};

function colorOf(colors: Context['out']['colors'], event: string): (text: string) => string {
  if (event === 'failed' || event === 'dlq' || event === 'stalled') return colors.red;
  if (event === 'completed') return colors.green;
  if (event === 'retry-scheduled' || event === 'paused' || event === 'removed') return colors.yellow;
  return (text) => text;
}

function valueOf(key: string, value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (key === 'durationUs' && typeof value === 'number') return span(value / 1000);
  if ((key === 'backoffMs' || key === 'delay') && typeof value === 'number') return span(value);
  return printable(typeof value === 'string' ? value : JSON.stringify(jsonable(value)));
}

function asJson(data: Readonly<Record<string, unknown>>): object {
  return jsonable(data) as object;
}
