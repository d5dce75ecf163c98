import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { importDlq } from '../../engine/admin/dlq-archive.js';
import type { ArchivedLetter } from '../../engine/admin/dlq-archive.js';
import type { SelectionOptions } from '../dlq/selection.js';
import { requireIds, selectedLetters } from '../dlq/dead-letters.js';
import { letterJson } from '../dlq/print.js';
import type { Context } from '../frame/context.js';
import { CliError, usageError } from '../frame/errors.js';
import { EXIT } from '../frame/exit-codes.js';
import { progressBar } from '../output/progress.js';
import { cell, grouped, jsonText, plural } from '../output/values.js';

/** How many dead letters of a file are added in one call. */
const PAGE = 200;

export async function exportLetters(
  context: Context,
  [name]: readonly [string],
  options: SelectionOptions & { readonly output?: string },
): Promise<void> {
  const queue = await context.queue(name);
  await requireIds(context, queue, options);
  const deadLetters = await queue.getFailedCount();
  const progress =
    options.output === undefined ? undefined : await progressBar(context.out, 'Exporting', deadLetters);
  const { write, end } = options.output === undefined ? toStdout(context) : await toFile(options.output);
  let done = 0;
  for await (const page of selectedLetters(context, queue, options)) {
    await write(page.map((letter) => `${jsonText(lineOf(letter))}\n`).join(''));
    done += page.length;
    progress?.update({ done });
  }
  await end();
  progress?.stop();
  const letters = plural(done, 'dead letter');
  if (options.output === undefined) context.out.note(`Exported ${letters}.`);
  else {
    context.out.document({ queue: name, exported: done, file: options.output });
    context.out.text(`Exported ${letters} to ${cell(options.output)}.`);
  }
}

/** One line of an export: what a reader needs first, then the fields with all of their bytes. */
function lineOf({ entry, fields }: ArchivedLetter): object {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    pairs.push([base64(fields[i]), base64(fields[i + 1])]);
  }
  return { ...letterJson(entry), fields: pairs };
}

function base64(bytes: Buffer | undefined): string {
  return (bytes ?? Buffer.alloc(0)).toString('base64');
}

interface Sink {
  readonly write: (text: string) => Promise<void>;
  readonly end: () => Promise<void>;
}

function toStdout(context: Context): Sink {
  return {
    write: async (text) => {
      context.out.raw(text);
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    },
    end: () => Promise.resolve(),
  };
}

async function toFile(path: string): Promise<Sink> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  const failed = new Promise<never>((_, reject) => {
    file.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new CliError(
          error.code === 'EEXIST' ? EXIT.refused : EXIT.error,
          `The file ${cell(path)} cannot be written: ${error.code === 'EEXIST' ? 'it exists already' : (error.code ?? error.message)}.`,
        ),
      );
    });
  });
  failed.catch(() => undefined);
  await Promise.race([once(file, 'open'), failed]);
  return {
    write: async (text) => {
      if (!file.write(text)) await Promise.race([once(file, 'drain'), failed]);
    },
    end: async () => {
      file.end();
      await Promise.race([once(file, 'finish'), failed]);
    },
  };
}

interface ReadLetter {
  readonly id: string;
  readonly fields: Buffer[];
}

export async function importLetters(
  context: Context,
  [name, file]: readonly [string, string],
  options: { readonly create?: boolean; readonly dryRun?: boolean },
): Promise<void> {
  const { out, signal } = context;
  const queue = await context.queue(name, { create: options.create === true });
  const { link } = await context.servers();
  await link.ready();
  // The whole file is checked before anything is added.
  let lines = 0;
  const isStdin = file === '-';
  const kept: ReadLetter[] = [];
  for await (const letter of readLetters(file, signal)) {
    lines += 1;
    // stdin can be read only once.
    if (isStdin) kept.push(letter);
  }
  const there = new Set<string>();
  for await (const page of selectedLetters(context, queue, {})) {
    for (const { fields } of page) there.add(fingerprint(fields));
  }
  const progress = await progressBar(out, 'Importing', lines);
  let [added, skipped] = [0, 0];
  let page: ReadLetter[] = [];
  const flush = async (): Promise<void> => {
    if (!options.dryRun) await importDlq(link, queue.keys, page);
    added += page.length;
    page = [];
    progress.update({ done: added + skipped });
  };
  try {
    for await (const letter of isStdin ? kept : readLetters(file, signal)) {
      signal.throwIfAborted();
      const print = fingerprint(letter.fields);
      if (there.has(print)) skipped += 1;
      else {
        there.add(print);
        page.push(letter);
      }
      if (page.length >= PAGE) await flush();
    }
    await flush();
  } catch (error) {
    progress.stop();
    out.note(
      `The import stopped after ${plural(added, 'dead letter')}. Run it again: those that are there are skipped.`,
    );
    throw error;
  }
  progress.stop();
  out.document({ queue: name, ...(options.dryRun && { dryRun: true }), imported: added, skipped });
  const would = options.dryRun ? 'would be imported' : 'imported';
  out.text(`${plural(added, 'dead letter')} ${would}, ${grouped(skipped)} skipped that are there already.`);
}

/** Two dead letters with the same fields are the same: the fields contain the job, its entry and the time of the failure. */
function fingerprint(fields: readonly Buffer[]): string {
  const hash = createHash('sha1');
  for (const field of fields) hash.update(`${String(field.length)}:`).update(field);
  return hash.digest('base64');
}

async function* readLetters(path: string, signal: AbortSignal): AsyncGenerator<ReadLetter> {
  const input = path === '-' ? process.stdin : createReadStream(path);
  const failure = new Promise<never>((_, reject) => {
    input.once('error', (error: NodeJS.ErrnoException) => {
      reject(usageError(`The file ${cell(path)} cannot be read: ${error.code ?? error.message}.`));
    });
  });
  failure.catch(() => undefined);
  if (path !== '-') await Promise.race([once(input, 'open'), failure]);
  const lines = createInterface({ input, crlfDelay: Infinity });
  let number = 0;
  try {
    for await (const line of lines) {
      signal.throwIfAborted();
      number += 1;
      if (line.trim() === '') continue;
      yield readLine(line, `${path === '-' ? 'stdin' : cell(path)}, line ${String(number)}`);
    }
  } catch (error) {
    // A folder can be opened, but not read.
    throw (error as NodeJS.ErrnoException).syscall === undefined ? error : await failure;
  }
  await Promise.race([failure, Promise.resolve()]);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readLine(line: string, where: string): ReadLetter {
  const wrong = (what: string): Error => usageError(`${where}: ${what}. Nothing was imported.`);
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw wrong('this is not JSON');
  }
  const { id, fields } = (parsed ?? {}) as { id?: unknown; fields?: unknown };
  if (typeof id !== 'string' || !Array.isArray(fields) || fields.length === 0) {
    throw wrong('this is no dead letter that `chasqui dlq export` has written');
  }
  const bytes = (fields as unknown[]).flatMap((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrong('a field is not a pair of name and value');
    return (pair as unknown[]).map((text) => {
      if (typeof text !== 'string' || !BASE64.test(text)) throw wrong('a field is not base64');
      return Buffer.from(text, 'base64');
    });
  });
  return { id: /^\d{1,20}-\d{1,20}$/.test(id) ? id : '', fields: bytes };
}
