#!/usr/bin/env node
import type { Command, CommanderError } from 'commander';
import { printable } from '../engine/base/printable.js';
import type { Context } from './frame/context.js';
import { dashHint } from './frame/dash-hint.js';
import type { Report } from './frame/errors.js';
import { EXIT } from './frame/exit-codes.js';
import { setRunner } from './frame/lazy.js';
import type { Runner } from './frame/lazy.js';
import { createProgram } from './program.js';

/** How long closing the connections may take. */
const CLOSE_MS = 2_000;

async function main(): Promise<number> {
  quietWhenClosed();
  if (process.argv[2] === '__complete') {
    const { complete } = await import('./completion/complete.js');
    await complete(process.argv.slice(3));
    return EXIT.ok;
  }
  const program = createProgram();
  let exitCode: number = EXIT.ok;
  setRunner(program, async (globals, action) => {
    exitCode = await run(globals, action);
  });
  let problem = '';
  let failed = program;
  everyCommand(program, (command) =>
    command
      .exitOverride()
      .configureOutput({
        outputError: (text) => {
          problem += text;
          failed = command;
        },
      })
      .showHelpAfterError(false),
  );
  try {
    await program.parseAsync();
    return exitCode;
  } catch (error) {
    return usage(error, problem, failed);
  }
}

type Run = Parameters<Runner>;

async function run(globals: Run[0], action: Run[1]): Promise<number> {
  const { Context } = await import('./frame/context.js');
  const context = new Context(globals);
  try {
    return (await action(context)) ?? EXIT.ok;
  } catch (error) {
    const { reportOf } = await import('./frame/errors.js');
    context.out.end();
    // Ctrl-C may surface as the error of a call that it cut short.
    const isOver = context.signal.aborted;
    const report = await withWrongKeys(context, reportOf(isOver ? context.signal.reason : error));
    printReport(report, globals.json === true);
    if (globals.verbose) process.stderr.write(`${stackOf(error)}\n`);
    return report.exitCode;
  } finally {
    const timer = new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref());
    await Promise.race([context.close(), timer]);
  }
}

/** Redis does not say which key has the wrong type, so this looks. */
async function withWrongKeys(context: Context, report: Report): Promise<Report> {
  if (!report.message.includes('WRONGTYPE')) return report;
  const { wrongKeysHint } = await import('./frame/wrong-keys.js');
  const hint = await wrongKeysHint(context);
  return hint === undefined ? report : { ...report, hint };
}

/** Commander throws after it has printed help, and for a wrong command line. */
function usage(error: unknown, problem: string, command: Command): number {
  const { code, exitCode } = error as Partial<CommanderError>;
  if (typeof code !== 'string' || !code.startsWith('commander.')) throw error;
  if (exitCode === 0) return EXIT.ok;
  const message = problem.replace(/^error: /, '').trim();
  if (message !== '') {
    const [what = '', ...rest] = message.split('\n').map(printable);
    const dash = dashHint(code, command, process.argv.slice(2));
    const hint = [...rest, ...(dash === undefined ? [] : [dash])].join(' ');
    const report = { exitCode: EXIT.usage, message: what, ...(hint !== '' && { hint }) };
    printReport(report, process.argv.includes('--json'));
  }
  return EXIT.usage;
}

/** One line, or one JSON document. */
function printReport({ code, message, hint }: Report, json: boolean): void {
  const text = json
    ? JSON.stringify({ error: { ...(code && { code }), message, ...(hint && { hint }) } })
    : `chasqui: ${code ? `${code}: ` : ''}${sentence(message, hint)}${hint ? ` ${hint}` : ''}`;
  process.stderr.write(`${text}\n`);
}

/** Messages of commander have no full stop. Its own hints stand in brackets. */
function sentence(message: string, hint = '('): string {
  return hint.startsWith('(') || /[.?!]$/.test(message) ? message : `${message}.`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function everyCommand(command: Command, apply: (command: Command) => void): void {
  apply(command);
  for (const child of command.commands) everyCommand(child, apply);
}

/** A reader such as `head` may close the pipe before all is written. That is no error. */
function quietWhenClosed(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok);
      throw error;
    });
  }
}

void main().then((exitCode) => {
  // Output to a pipe may still be on its way.
  process.stdout.write('', () => {
    process.exit(exitCode);
  });
});
