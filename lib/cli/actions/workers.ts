import type { WorkerInfo } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { printTable } from '../output/table.js';
import { cell, grouped, iso, relative, span } from '../output/values.js';

interface Row extends WorkerInfo {
  readonly queue: string;
}

export async function workers(context: Context, [name]: readonly [string?]): Promise<void> {
  const { out } = context;
  const names = name === undefined ? await context.queueNames() : [name];
  const rows: Row[] = [];
  for (const each of names) {
    context.signal.throwIfAborted();
    const queue = await context.queue(each);
    const list = await queue.getWorkers();
    rows.push(...list.map((worker) => ({ queue: each, ...worker })));
  }
  out.document({ workers: rows.map((row) => ({ queue: row.queue, ...workerJson(row) })) });
  if (rows.length === 0) {
    out.text('No worker runs.');
    return;
  }
  printWorkers(context, rows, name === undefined);
}

/** A worker in JSON. docs/cli.md documents it. */
export function workerJson(worker: WorkerInfo): object {
  return {
    id: worker.id,
    name: worker.name,
    group: worker.group,
    host: worker.host ?? null,
    pid: worker.pid ?? null,
    version: worker.version ?? null,
    concurrency: worker.concurrency ?? null,
    running: worker.running ?? null,
    pending: worker.pending,
    paused: worker.paused,
    startedAt: worker.startedAt === undefined ? null : iso(worker.startedAt),
    lastSeen: iso(worker.lastSeen),
    leaseMs: worker.leaseMs ?? null,
  };
}

export function printWorkers(
  { out }: Context,
  rows: readonly (WorkerInfo & { readonly queue?: string })[],
  withQueue: boolean,
): void {
  const now = Date.now();
  const isLate = ({ lastSeen, leaseMs }: WorkerInfo): boolean => now - lastSeen > (leaseMs ?? 30_000);
  printTable(
    out,
    [
      ...(withQueue
        ? [{ title: 'QUEUE', value: (row: { queue?: string }) => cell(row.queue), least: 8 }]
        : []),
      { title: 'WORKER', value: ({ name }) => cell(name), least: 8 },
      {
        title: 'RUNS',
        value: ({ running, concurrency }) =>
          running === undefined ? '–' : `${grouped(running)}/${grouped(concurrency ?? 0)}`,
        right: true,
      },
      { title: 'HOST', value: ({ host }) => cell(host), keep: 5, least: 8 },
      { title: 'PID', value: ({ pid }) => (pid === undefined ? '–' : String(pid)), right: true, keep: 3 },
      { title: 'VERSION', value: ({ version }) => cell(version), keep: 2 },
      {
        title: 'UP',
        value: ({ startedAt }) => (startedAt === undefined ? '–' : span(now - startedAt)),
        keep: 4,
      },
      {
        title: 'SEEN',
        value: ({ lastSeen }) => relative(lastSeen, now),
        color: (text, row) => (isLate(row) ? out.colors.red(text) : text),
        keep: 6,
      },
      {
        title: 'STATE',
        value: (row) => (row.paused ? 'paused' : isLate(row) ? 'silent' : 'up'),
        color: (text) =>
          text === 'up'
            ? out.colors.green(text)
            : text === 'paused'
              ? out.colors.yellow(text)
              : out.colors.red(text),
        keep: 7,
      },
    ],
    rows,
  );
}
