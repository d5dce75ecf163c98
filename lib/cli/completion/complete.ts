import { readdirSync } from 'node:fs';
import type { Argument, Command, Option } from 'commander';
import { printable } from '../../engine/base/printable.js';
import type { GlobalOptions } from '../frame/globals.js';
import { createProgram } from '../program.js';

/** A word that may stand at the cursor. */
export interface Candidate {
  readonly value: string;
  readonly about?: string;
}

/** Looking for queues must not make the shell wait. */
const QUEUES_MS = 1_000;

/**
 * Prints what may stand at the cursor: one candidate a line, with a tab and its description. The scripts of the shells call
 * it. It never fails and never writes an error.
 * @param args `--line <text up to the cursor>`, or `--` and the words up to the cursor
 */
export async function complete(args: readonly string[]): Promise<void> {
  try {
    const words = args[0] === '--line' ? wordsOf(args[1] ?? '').slice(1) : args.slice(1);
    const candidates = await candidatesFor(createProgram(), words);
    const lines = candidates
      // A name that the shell could not show, or would run.
      .filter(({ value }) => printable(value) === value)
      .map(({ value, about }) => (about ? `${value}\t${printable(about)}` : value));
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`);
  } catch {
    // No suggestion is better than an error in the middle of a command line.
  }
}

/** Splits a command line as a shell does. The last word is the one at the cursor; it may be empty. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  let word = '';
  let quote: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line.charAt(i);
    if (char === '\\' && quote !== "'") word += line.charAt(++i);
    else if (quote !== undefined) {
      if (char === quote) quote = undefined;
      else word += char;
    } else if (char === '"' || char === "'") quote = char;
    else if (/\s/.test(char)) {
      if (word !== '') words.push(word);
      word = '';
    } else word += char;
  }
  return [...words, word];
}

async function candidatesFor(program: Command, words: readonly string[]): Promise<Candidate[]> {
  const current = words.at(-1) ?? '';
  const { command, operands, pending, given } = walk(program, words.slice(0, -1));
  const found = await possible(program, command, { operands, pending, given, current });
  return found.filter(({ value }) => value.startsWith(current));
}

interface Place {
  /** The arguments of the command so far. */
  readonly operands: readonly string[];
  /** The option whose value stands at the cursor. */
  readonly pending: Option | undefined;
  /** The options so far. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly current: string;
}

async function possible(program: Command, command: Command, place: Place): Promise<Candidate[]> {
  const { operands, pending, current } = place;
  if (pending) return valuesOf(pending, current);
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (flag !== undefined) {
    const option = optionsOf(program, command).find(({ long }) => long === flag);
    return option ? valuesOf(option, value ?? '').map((each) => ({ value: `${flag}=${each.value}` })) : [];
  }
  if (current.startsWith('-')) {
    return optionsOf(program, command).flatMap(({ long, description }) =>
      long ? [{ value: long, about: description }] : [],
    );
  }
  if (command.commands.length > 0 && operands.length === 0) {
    return command.commands
      .filter((child) => !(child as { _hidden?: boolean })._hidden)
      .map((child) => ({ value: child.name(), about: child.summary() }));
  }
  const argument = command.registeredArguments[operands.length] ?? command.registeredArguments.at(-1);
  if (!argument || (operands.length >= command.registeredArguments.length && !argument.variadic)) return [];
  return argumentValues(argument, place);
}

/** Follows the words before the cursor to the command that they name. */
function walk(program: Command, words: readonly string[]): Omit<Place, 'current'> & { command: Command } {
  let command = program;
  const operands: string[] = [];
  const given: Record<string, unknown> = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word.startsWith('-')) {
      const [flag, value] = word.split(/=(.*)/s, 2);
      const option = optionsOf(program, command).find(({ long, short }) => long === flag || short === flag);
      if (!option) continue;
      if (!option.required && !option.optional) given[option.attributeName()] = !option.negate;
      else if (value !== undefined) given[option.attributeName()] = value;
      else if (i + 1 >= words.length) return { command, operands, given, pending: option };
      else given[option.attributeName()] = words[++i];
      continue;
    }
    const child = operands.length === 0 && command.commands.find((each) => each.name() === word);
    if (child) command = child;
    else operands.push(word);
  }
  return { command, operands, given, pending: undefined };
}

function optionsOf(program: Command, command: Command): readonly Option[] {
  const own = command === program ? [] : command.options;
  return [...own, ...program.options].filter(({ hidden }) => !hidden);
}

function valuesOf(option: Option, current: string): Candidate[] {
  if (option.argChoices) return option.argChoices.map((value) => ({ value }));
  return option.flags.includes('<file>') ? files(current) : [];
}

async function argumentValues(argument: Argument, { given, current }: Place): Promise<Candidate[]> {
  if (argument.argChoices) return argument.argChoices.map((value) => ({ value }));
  if (argument.name() === 'queue') return queues(given, current);
  if (argument.name() === 'file') return files(current);
  if (argument.name() === 'data' && current.startsWith('@')) {
    return files(current.slice(1)).map(({ value }) => ({ value: `@${value}` }));
  }
  return [];
}

function files(prefix: string): Candidate[] {
  const [, folder = '', name = ''] = /^(.*\/)?([^/]*)$/s.exec(prefix) ?? [];
  return readdirSync(folder === '' ? '.' : folder, { withFileTypes: true })
    .filter((entry) => entry.name.startsWith(name) && (name !== '' || !entry.name.startsWith('.')))
    .map((entry) => ({ value: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }));
}

async function queues(given: Readonly<Record<string, unknown>>, prefix: string): Promise<Candidate[]> {
  const { connectionOf } = await import('../frame/connection.js');
  const { Servers } = await import('../../engine/admin/servers.js');
  const options = { ...fromEnvironment(), ...given, timeout: QUEUES_MS, color: false } as GlobalOptions;
  const sentinel = given['sentinel'] as string | undefined;
  const servers = new Servers(
    connectionOf({ ...options, ...(sentinel !== undefined && { sentinel: [sentinel] }) }, process.env),
    { connectTimeoutMs: QUEUES_MS, commandTimeoutMs: QUEUES_MS },
  );
  const begun = performance.now();
  const late = new AbortController();
  const onProgress = (): void => {
    if (performance.now() - begun > QUEUES_MS) late.abort();
  };
  try {
    const names = await servers.queueNames({ prefix, signal: late.signal, onProgress });
    return names.map((value) => ({ value }));
  } finally {
    servers.close();
  }
}

/** The options that commander would take from the environment. */
function fromEnvironment(): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const option of createProgram().options) {
    const value = option.envVar === undefined ? undefined : process.env[option.envVar];
    if (value !== undefined) values[option.attributeName()] = option.isBoolean() ? true : value;
  }
  return values;
}
