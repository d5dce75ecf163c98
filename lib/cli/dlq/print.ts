import { printable } from '../../engine/base/printable.js';
import type { DlqEntry } from '../../engine/index.js';
import { orderInBytes, orderPairs } from '../jobs/order.js';
import type { Output } from '../output/output.js';
import { cell, grouped, iso, jsonable, oneLine, plural, relative } from '../output/values.js';
import { failedAtOf } from './dead-letters.js';

/** A dead letter in JSON. docs/cli.md documents it. */
export function letterJson(entry: DlqEntry): object {
  return {
    id: entry.dlqId,
    jobId: entry.jobId ?? null,
    name: entry.name,
    reason: entry.reason,
    error: entry.detail ?? null,
    stack: entry.stack ?? null,
    attempts: entry.attempts ?? null,
    failedAt: iso(failedAtOf(entry)),
    sourceId: entry.sourceId,
    ...orderInBytes(entry.payload),
    data: jsonable(entry.data),
  };
}

/** A dead letter for people: a heading, and a line for each part. */
export function printLetter(out: Output, entry: DlqEntry, withStack: boolean): void {
  const { bold, dim, red, yellow } = out.colors;
  const at = failedAtOf(entry);
  const attempts = entry.attempts === undefined ? '' : `, ${plural(entry.attempts, 'attempt')}`;
  out.text(`${bold(entry.dlqId)}  ${bold(cell(entry.name))}`);
  const lines: [string, string][] = [
    ['reason', `${yellow(cell(entry.reason))}${attempts}`],
    ['failed', `${relative(at)}, ${iso(at)}`],
    ['job', cell(entry.jobId)],
    ...orderPairs(orderInBytes(entry.payload)),
  ];
  if (entry.detail !== undefined) lines.push(['error', red(printable(entry.detail))]);
  lines.push(['data', dataOf(entry)]);
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, value] of lines) out.text(`  ${dim(name.padEnd(width))}  ${value}`);
  if (withStack && entry.stack !== undefined) {
    for (const line of entry.stack.split('\n')) out.text(`          ${dim(printable(line))}`);
  }
}

/** The decoded data, or its bytes where they cannot be decoded. */
function dataOf({ data, payload }: DlqEntry): string {
  if (data !== undefined) return oneLine(data);
  if (payload.length === 0) return '(none)';
  const shown = payload.subarray(0, 64).toString('hex');
  return `${grouped(payload.length)} bytes that cannot be decoded: ${shown}${payload.length > 64 ? '…' : ''}`;
}
