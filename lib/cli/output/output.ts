import pc from 'picocolors';
import type { GlobalOptions } from '../frame/globals.js';
import { jsonText } from './values.js';

export type Colors = ReturnType<typeof pc.createColors>;

interface Ending {
  stop(): void;
}

/** Where a command writes. Results go to stdout, everything else to stderr. */
export class Output {
  /** True after `--json`. */
  readonly json: boolean;
  readonly colors: Colors;
  /** Colors of stderr. */
  readonly noteColors: Colors;
  readonly isTerminal: boolean;
  readonly #endings = new Set<Ending>();

  constructor(globals: Pick<GlobalOptions, 'json' | 'color'>) {
    this.json = globals.json === true;
    this.isTerminal = isTerminal(process.stdout);
    this.colors = pc.createColors(wantsColor(globals.color, process.stdout));
    this.noteColors = pc.createColors(wantsColor(globals.color, process.stderr));
  }

  /** Columns of the terminal; Infinity if the output is not a terminal, so that nothing is cut off. */
  get width(): number {
    // A terminal that does not know its size says 0.
    return this.isTerminal ? process.stdout.columns || 80 : Infinity;
  }

  /** Whether there is a terminal to ask a question on. */
  get canAsk(): boolean {
    return isTerminal(process.stdin) && isTerminal(process.stderr);
  }

  /** Writes text for people. Nothing after `--json`. The text must be escaped where it comes from a job. */
  text(text: string): void {
    if (!this.json) process.stdout.write(`${text}\n`);
  }

  /** Writes one JSON document. Nothing without `--json`. */
  document(value: unknown): void {
    if (this.json) process.stdout.write(`${jsonText(value, 2)}\n`);
  }

  /** Writes one line of NDJSON. Nothing without `--json`. */
  record(value: unknown): void {
    if (this.json) process.stdout.write(`${jsonText(value)}\n`);
  }

  /** Writes text that is the result itself, such as an export. */
  raw(text: string): void {
    process.stdout.write(text);
  }

  /** Writes a remark to stderr: not part of the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Stops something at the end of the command, such as a progress bar. */
  atEnd(ending: Ending): void {
    this.#endings.add(ending);
  }

  end(): void {
    for (const ending of this.#endings) ending.stop();
    this.#endings.clear();
  }
}

/** The types of Node say that isTTY is always there. */
function isTerminal(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true;
}

/** See no-color.org and force-color.org. */
function wantsColor(flag: boolean, stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (!flag || (NO_COLOR !== undefined && NO_COLOR !== '')) return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  // A pipe has no isTTY at all, and picocolors takes undefined for "decide yourself": it colors where CI is set.
  return isTerminal(stream) && TERM !== 'dumb';
}
