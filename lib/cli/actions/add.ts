import { readFile } from 'node:fs/promises';
import type { JobsOptions } from '../../engine/index.js';
import type { Context } from '../frame/context.js';
import { usageError } from '../frame/errors.js';
import { cell, moment } from '../output/values.js';

interface AddOptions {
  readonly jobId?: string;
  readonly dedupId?: string;
  readonly dedupTtl?: number;
  readonly priority?: number;
  readonly lifo?: boolean;
  readonly group?: string;
  readonly delay?: number;
  readonly attempts?: number;
  readonly backoff?: number;
  readonly runTimeout?: number;
  readonly ttl?: number;
  readonly create?: boolean;
}

export async function add(
  context: Context,
  [name, jobName, text]: readonly [string, string, string?],
  options: AddOptions,
): Promise<void> {
  const data = await readData(text);
  const queue = await context.queue(name, { create: options.create === true });
  const job = await queue.add(jobName, data, jobOptions(options));
  const { duplicate } = job;
  const what = options.dedupId === undefined ? 'is a live job already' : 'has this deduplication id';
  const runsAt = duplicate || options.delay === undefined ? undefined : Date.now() + options.delay;
  context.out.document({
    queue: name,
    id: job.id,
    name: jobName,
    duplicate,
    runsAt: runsAt === undefined ? null : new Date(runsAt).toISOString(),
  });
  if (duplicate) context.out.text(`${cell(job.id)} ${what}. Nothing was added.`);
  else context.out.text(runsAt === undefined ? cell(job.id) : `${cell(job.id)}  runs ${moment(runsAt)}`);
}

function jobOptions(options: AddOptions): JobsOptions {
  const { jobId, dedupId, dedupTtl, delay, attempts, backoff, runTimeout, ttl } = options;
  const { priority, lifo, group } = options;
  if (dedupTtl !== undefined && dedupId === undefined) {
    throw usageError('--dedup-ttl needs --dedup-id: it says how long that id is taken.');
  }
  return {
    ...(dedupId !== undefined && {
      deduplication: { id: dedupId, ...(dedupTtl !== undefined && { ttl: dedupTtl }) },
    }),
    ...(jobId !== undefined && { jobId }),
    ...(group !== undefined && { group: { id: group, ...(priority !== undefined && { priority }) } }),
    ...(group === undefined && priority !== undefined && { priority }),
    ...(lifo !== undefined && { lifo }),
    ...(delay !== undefined && { delay }),
    ...(attempts !== undefined && { attempts }),
    ...(backoff !== undefined && { backoff }),
    ...(runTimeout !== undefined && { timeoutMs: runTimeout }),
    ...(ttl !== undefined && { ttlMs: ttl }),
  };
}

/** Reads the data of a job: JSON, `@file` or `-`. */
export async function readData(text: string | undefined): Promise<unknown> {
  if (text === undefined) return null;
  const json = text === '-' ? await readStdin() : text.startsWith('@') ? await readText(text.slice(1)) : text;
  try {
    return JSON.parse(json) as unknown;
  } catch (error) {
    throw usageError(
      `The data is not JSON: ${(error as Error).message}.`,
      text === '-' || text.startsWith('@') ? undefined : `A text needs its quotes: '"text"'.`,
    );
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw usageError(
      `The file ${cell(path)} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'}).`,
    );
  }
}
