import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Output } from '../output/output.js';
import { refused, usageError } from './errors.js';

/** Asks for the password on the terminal. What is typed is not shown. */
export async function askPassword(out: Output, signal: AbortSignal): Promise<string> {
  if (!out.canAsk) {
    throw usageError('--ask-password needs a terminal.', 'Set CHASQUI_REDIS_PASSWORD instead.');
  }
  return ask('Password: ', signal, false);
}

/** What a destructive command is about to do. */
export interface Confirmation {
  /** The question, such as `Delete 12 dead letters of "mail"?` */
  readonly question: string;
  /** The user must type this text. Default: `y` or `yes`. */
  readonly typed?: string;
  /** The command has the option --dry-run. */
  readonly hasDryRun?: boolean;
}

/**
 * Asks before a destructive command. Resolves if the user agrees, or passed `--yes`.
 * @throws CliError (refused) if not, or if there is no terminal to ask on
 */
export async function confirm(
  out: Output,
  yes: boolean | undefined,
  signal: AbortSignal,
  { question, typed, hasDryRun = false }: Confirmation,
): Promise<void> {
  if (yes) return;
  if (!out.canAsk) {
    throw refused(
      `This needs a confirmation: ${question}`,
      `Pass --yes to confirm.${hasDryRun ? ' --dry-run shows what would be done.' : ''}`,
    );
  }
  const how = typed === undefined ? '[y/N]' : `Type ${typed} to confirm:`;
  const answer = await ask(`${question} ${how} `, signal, true);
  const agreed = typed === undefined ? /^y(es)?$/i.test(answer.trim()) : answer.trim() === typed;
  if (!agreed) throw refused('Not confirmed. Nothing was done.');
}

async function ask(question: string, signal: AbortSignal, visible: boolean): Promise<string> {
  signal.throwIfAborted();
  const output = visible
    ? process.stderr
    : new Writable({
        write: (_chunk, _encoding, done) => {
          done();
        },
      });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  // The terminal echoes until readline has switched that off, so ask only now. The question is no output: stdout may be a file.
  process.stderr.write(question);
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => {
        resolve('');
      });
      // readline reads Ctrl-C itself.
      lines.once('SIGINT', () => process.emit('SIGINT'));
      signal.addEventListener(
        'abort',
        () => {
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  } finally {
    lines.close();
    if (!visible || signal.aborted) process.stderr.write('\n');
  }
}
