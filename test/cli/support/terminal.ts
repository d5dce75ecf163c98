import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import xterm from '@xterm/headless';
import { afterEach } from 'vitest';

/*
 * Runs a command in a real pseudo-terminal and reads what a person would see. `script` of util-linux opens the terminal,
 * and xterm.js interprets the output, so tests judge the screen and not escape codes. Nothing here waits for a fixed
 * time: `until` looks again whenever the screen changes.
 */

export interface TerminalOptions {
  /** Default 100. */
  columns?: number;
  /** Default 30. */
  rows?: number;
  /** Added to the environment of the tests; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** A shell command whose output the command reads instead of the keyboard. */
  pipedFrom?: string;
}

export interface Exit {
  /** As a shell sees it: 128 + the number of the signal for a process that a signal ended. */
  readonly code: number | null;
  /** What `stty -a` says after the command: the modes that the user's shell gets back. */
  readonly modes: string;
}

/** What one place of the screen looks like. Colors: 0 to 15 of the palette, or `default`. */
export interface Style {
  readonly color: number | 'default';
  readonly background: number | 'default';
  readonly bold: boolean;
  readonly dim: boolean;
  readonly inverse: boolean;
}

/** No screen of these tests takes longer than this to appear, on a busy machine too. */
const WAIT_MS = 15_000;

const KEYS = {
  up: '\x1b[A',
  down: '\x1b[B',
  right: '\x1b[C',
  left: '\x1b[D',
  pageUp: '\x1b[5~',
  pageDown: '\x1b[6~',
  home: '\x1b[H',
  end: '\x1b[F',
  enter: '\r',
  tab: '\t',
  shiftTab: '\x1b[Z',
  escape: '\x1b',
  backspace: '\x7f',
  'ctrl-c': '\x03',
  'ctrl-d': '\x04',
  'ctrl-z': '\x1a',
} as const;
export type KeyName = keyof typeof KEYS;

/** Starts what the harness prints for itself: no program under test prints it. */
const MARK = '\x1e';

export class Terminal {
  readonly #screen: xterm.Terminal;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<Exit>;
  readonly #watchers = new Set<() => void>();
  #raw = '';
  #unread = '';
  #pid: number | undefined;
  #path = '';
  #modes = '';
  #cursorVisible = true;
  #hasEnded = false;

  private constructor(command: readonly string[], options: TerminalOptions) {
    const { columns = 100, rows = 30 } = options;
    this.#screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 5_000 });
    this.#followCursor();
    this.#child = spawn(
      'script',
      ['-qfec', wrapped(command, columns, rows, options.pipedFrom), '/dev/null'],
      {
        cwd: options.cwd,
        env: environment(options.env),
      },
    );
    // A key that is sent as the command ends has no reader.
    this.#child.stdin.on('error', () => {});
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#receive(text);
    });
    this.#exit = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code) => {
        this.#hasEnded = true;
        // xterm.js parses later than it is written to.
        this.#screen.write('', () => {
          resolve({ code, modes: this.#modes });
          this.#screenChanged();
        });
      });
    });
  }

  /** Resolves when the command has its terminal. */
  static async start(command: readonly string[], options: TerminalOptions = {}): Promise<Terminal> {
    const terminal = new Terminal(command, options);
    await terminal.until(() => terminal.#pid !== undefined || terminal.#hasEnded, 'the command to start');
    return terminal;
  }

  /** The process id of the command, not of `script`. */
  get pid(): number {
    if (this.#pid === undefined) throw new Error('The command has not started.');
    return this.#pid;
  }

  /** The visible screen, without the spaces at the ends of lines and the empty lines at the end. */
  get text(): string {
    return this.lines.join('\n').trimEnd();
  }

  /** The visible lines, without the spaces at their ends. */
  get lines(): string[] {
    const { active } = this.#screen.buffer;
    return Array.from({ length: this.#screen.rows }, (_, y) => {
      return active.getLine(active.viewportY + y)?.translateToString(true) ?? '';
    });
  }

  /** Everything that was printed to the normal screen, and what has scrolled away. */
  get history(): string {
    const { normal } = this.#screen.buffer;
    const lines = Array.from(
      { length: normal.length },
      (_, y) => normal.getLine(y)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  }

  /** All bytes that the command printed, escape codes included. */
  get raw(): string {
    return this.#raw;
  }

  get isAlternateScreen(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  get isCursorVisible(): boolean {
    return this.#cursorVisible;
  }

  /** The style of the first character of a text on the screen. */
  styleOf(text: string): Style {
    const { active } = this.#screen.buffer;
    for (let y = 0; y < this.#screen.rows; y++) {
      const line = active.getLine(active.viewportY + y);
      const at = line?.translateToString().indexOf(text) ?? -1;
      const cell = at < 0 ? undefined : line?.getCell(at);
      if (cell) return styleOf(cell);
    }
    throw new Error(`"${text}" is not on the screen:\n${this.text}`);
  }

  /** Resolves when the screen matches. Fails with the screen that there was instead. */
  async until(wanted: RegExp | string | (() => boolean), what?: string): Promise<void> {
    const isThere = typeof wanted === 'function' ? wanted : () => matches(this.text, wanted);
    const name = what ?? (typeof wanted === 'function' ? 'a condition' : String(wanted));
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const fail = (why: string): void => {
        end();
        reject(new Error(`${why} while waiting for ${name}. The screen:\n${this.text}\n--`));
      };
      const check = (): void => {
        if (isThere()) {
          end();
          resolve();
        } else if (this.#hasEnded) fail('The command ended');
      };
      const timer = setTimeout(fail, WAIT_MS, `${WAIT_MS} ms passed`);
      this.#watchers.add(check);
      check();
    });
  }

  /** Types text, or presses keys: `press('down', 'enter')`. */
  press(...keys: (KeyName | (string & {}))[]): void {
    for (const key of keys) this.#child.stdin.write(key in KEYS ? KEYS[key as KeyName] : key);
  }

  /** Changes the size of the window, which sends SIGWINCH to the command. */
  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    execFileSync('stty', ['-F', this.#path, 'cols', String(columns), 'rows', String(rows)]);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Resolves when the command has ended. */
  async exit(): Promise<Exit> {
    await this.until(() => this.#hasEnded, 'the command to end');
    return this.#exit;
  }

  /** Ends the command, if it still runs. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    try {
      if (this.#pid !== undefined) process.kill(this.#pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
    // The terminal hangs up, which ends what the command has started.
    this.#child.kill('SIGKILL');
    await this.#exit;
  }

  #receive(text: string): void {
    this.#unread += text;
    for (;;) {
      const from = this.#unread.indexOf(MARK);
      const to = this.#unread.indexOf(MARK, from + 1);
      if (from >= 0 && to < 0) break;
      this.#show(from < 0 ? this.#unread : this.#unread.slice(0, from));
      if (from < 0) {
        this.#unread = '';
        break;
      }
      this.#note(this.#unread.slice(from + 1, to));
      this.#unread = this.#unread.slice(to + 1);
    }
    this.#screenChanged();
  }

  #show(text: string): void {
    if (text === '') return;
    this.#raw += text;
    this.#screen.write(text, () => {
      this.#screenChanged();
    });
  }

  #note(note: string): void {
    const [kind, ...words] = note.split(' ');
    if (kind === 'started') {
      this.#pid = Number(words[0]);
      this.#path = words[1] ?? '';
    } else this.#modes = words.join(' ');
  }

  #screenChanged(): void {
    for (const check of [...this.#watchers]) check();
  }

  #followCursor(): void {
    for (const [final, isVisible] of [
      ['h', true],
      ['l', false],
    ] as const) {
      this.#screen.parser.registerCsiHandler({ prefix: '?', final }, (params) => {
        if (params.includes(25)) this.#cursorVisible = isVisible;
        return false;
      });
    }
  }
}

export interface Terminals {
  /** Runs the built CLI: `chasqui('inspect', '--json')`. The options may come last. */
  chasqui(...args: (string | TerminalOptions)[]): Promise<Terminal>;
  /** Runs any command. */
  run(command: readonly string[], options?: TerminalOptions): Promise<Terminal>;
}

/** Terminals that end with the test. */
export function useTerminals(defaults: TerminalOptions | (() => TerminalOptions) = {}): Terminals {
  let open: Terminal[] = [];
  afterEach(async () => {
    const ending = open;
    open = [];
    await Promise.all(ending.map((terminal) => terminal.kill()));
  });
  const run = async (command: readonly string[], options: TerminalOptions = {}): Promise<Terminal> => {
    const base = typeof defaults === 'function' ? defaults() : defaults;
    const terminal = await Terminal.start(command, {
      ...base,
      ...options,
      env: { ...base.env, ...options.env },
    });
    open.push(terminal);
    return terminal;
  };
  return {
    run,
    chasqui: (...args) => {
      const last = args.at(-1);
      const options = typeof last === 'object' ? last : {};
      return run([...cliCommand(), ...args.filter((arg) => typeof arg === 'string')], options);
    },
  };
}

/** The command that runs the built CLI. */
export function cliCommand(): string[] {
  const root = new URL('../../../', import.meta.url);
  const { bin } = createRequire(import.meta.url)('../../../package.json') as { bin: { chasqui: string } };
  return [process.execPath, fileURLToPath(new URL(bin.chasqui, root))];
}

/**
 * The shell commands around the command: they set the size, say which process it is, and afterwards in which modes it
 * left the terminal. Ctrl-C may end the command, but not the shell that reports the modes.
 */
function wrapped(command: readonly string[], columns: number, rows: number, pipedFrom?: string): string {
  const started = `exec 3>&1; path=$(tty <&3); exec 3>&-; printf '${MARK}started %s %s${MARK}' "$$" "$path"; exec "$@"`;
  const run = ['sh', '-c', started, 'sh', ...command].map(quoted).join(' ');
  return [
    `stty cols ${String(columns)} rows ${String(rows)}`,
    'trap : INT',
    pipedFrom === undefined ? run : `${pipedFrom} | ${run}`,
    'code=$?',
    `printf '${MARK}modes %s${MARK}' "$(stty -a | tr '\\n' ' ')"`,
    'exit $code',
  ].join('; ');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What a person's shell has. A CI server sets variables that make programs believe that nobody looks. */
function environment(added: TerminalOptions['env'] = {}): Record<string, string> {
  const env: Record<string, string | undefined> = { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' };
  for (const name of Object.keys(env)) {
    if (
      /^(CI|CI_.*|CONTINUOUS_INTEGRATION|NO_COLOR|FORCE_COLOR|COLORTERM|VITEST.*|NODE_ENV|TEST)$/.test(name)
    ) {
      env[name] = undefined;
    }
  }
  const defined = Object.entries({ ...env, SHELL: '/bin/sh', ...added }).filter(
    ([, value]) => value !== undefined,
  );
  return Object.fromEntries(defined);
}

function matches(text: string, wanted: RegExp | string): boolean {
  return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
}

function styleOf(cell: xterm.IBufferCell): Style {
  return {
    color: cell.isFgDefault() ? 'default' : cell.getFgColor(),
    background: cell.isBgDefault() ? 'default' : cell.getBgColor(),
    bold: cell.isBold() !== 0,
    dim: cell.isDim() !== 0,
    inverse: cell.isInverse() !== 0,
  };
}
