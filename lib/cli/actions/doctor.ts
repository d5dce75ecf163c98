import { diagnose } from '../../engine/admin/doctor/diagnose.js';
import { worstOf } from '../../engine/admin/doctor/finding.js';
import type { Finding, Severity } from '../../engine/admin/doctor/finding.js';
import { printable } from '../../engine/base/printable.js';
import type { Context } from '../frame/context.js';
import { EXIT } from '../frame/exit-codes.js';
import { wrap } from '../watch/text.js';

export interface DoctorOptions {
  /** Print only what is not in order. */
  readonly quiet?: boolean;
}

const EXIT_OF: Readonly<Record<Severity, number>> = {
  ok: EXIT.ok,
  info: EXIT.ok,
  warning: EXIT.warnings,
  error: EXIT.problems,
};

export async function doctor(
  context: Context,
  [queue]: readonly [string?],
  { quiet }: DoctorOptions,
): Promise<number> {
  const { out, signal } = context;
  const servers = await context.servers();
  // Says at once what is wrong with a connection that cannot be used.
  await servers.link.ready();
  if (queue !== undefined) await context.queue(queue);
  const queues = queue === undefined ? await context.queueNames() : [queue];
  const all: Finding[] = [];
  for await (const findings of diagnose(servers, { queues, signal })) {
    all.push(...findings);
    printSubject(context, findings, quiet === true);
  }
  const severity = worstOf(all);
  const count = (of: Severity): number => all.filter((finding) => finding.severity === of).length;
  const counts = { ok: count('ok'), info: count('info'), warning: count('warning'), error: count('error') };
  out.document({ severity, counts, findings: all });
  out.text(summary(context, severity, counts, queues.length));
  return EXIT_OF[severity];
}

function printSubject({ out }: Context, findings: readonly Finding[], quiet: boolean): void {
  const shown = findings.filter(({ severity }) => !quiet || severity === 'warning' || severity === 'error');
  const subject = findings[0]?.subject;
  if (shown.length === 0 || subject === undefined) return;
  const width = Math.max(30, Math.min(out.width, 110));
  out.text(out.colors.bold(printable(subject)));
  for (const finding of shown) {
    const indent = '         ';
    const lines = wordWrap(printable(finding.message), width - indent.length);
    out.text(`  ${mark(out, finding.severity)} ${lines.join(`\n${indent}`)}`);
    if (finding.remedy === undefined) continue;
    const remedy = wordWrap(printable(finding.remedy), width - indent.length - 2);
    out.text(out.colors.dim(`${indent}→ ${remedy.join(`\n${indent}  `)}`));
  }
  out.text('');
}

const WORDS: Readonly<Record<Severity, string>> = { ok: 'ok', info: 'info', warning: 'warn', error: 'error' };

function mark({ colors }: Context['out'], severity: Severity): string {
  const word = WORDS[severity].padEnd(6);
  if (severity === 'error') return colors.red(colors.bold(word));
  if (severity === 'warning') return colors.yellow(colors.bold(word));
  return severity === 'info' ? colors.cyan(word) : colors.green(word);
}

function summary(
  { out }: Context,
  severity: Severity,
  { warning, error }: { warning: number; error: number },
  queues: number,
): string {
  const { green, red, yellow } = out.colors;
  const looked = queues === 1 ? '1 queue' : `${String(queues)} queues`;
  const isWell = severity === 'ok' || severity === 'info';
  const errors = error === 1 ? '1 error' : `${String(error)} errors`;
  const warnings = warning === 1 ? '1 warning' : `${String(warning)} warnings`;
  const text = isWell
    ? `All is well with the server and ${looked}.`
    : `${errors}, ${warnings}. The server and ${looked} were checked.`;
  const color = isWell ? green : severity === 'error' ? red : yellow;
  return wordWrap(text, Math.min(out.width, 110)).map(color).join('\n');
}

/** Breaks between words; a word that is too long is broken. */
function wordWrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((one) => (one.length > width ? wrap(one, width) : [one]))) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
