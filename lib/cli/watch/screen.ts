import { writeSync } from 'node:fs';
import { EventEmitter } from 'node:events';
import stringWidth from 'string-width';

const ESC = '\x1b[';
/** The alternate screen without a cursor. A line that is too long is cut off, and not continued in the next. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l${ESC}2J`;
const LEAVE = `${ESC}0m${ESC}?7h${ESC}?25h${ESC}?1049l`;
/** A terminal that knows these shows all changes between them at once. Others ignore them. */
const BEGIN = `${ESC}?2026h`;
const END = `${ESC}?2026l`;

interface ScreenEvents {
  resize: [];
  error: [Error];
}

/**
 * The screen of the terminal, as the stream that ink writes to. Ink writes whole frames; this paints only the lines that
 * have changed, so nothing flickers and the lines that the user has scrolled back to are not lost.
 */
export class Screen extends EventEmitter<ScreenEvents> {
  /** Ink must not move or hide the cursor itself. */
  readonly isTTY = false;
  readonly writable = true;
  readonly #stdout: NodeJS.WriteStream;
  #painted: string[] = [];
  #frame = '';
  #isOpen = false;

  constructor(stdout: NodeJS.WriteStream) {
    super();
    this.#stdout = stdout;
  }

  /** A terminal that does not know its size says 0. */
  get columns(): number {
    return this.#stdout.columns || 80;
  }

  get rows(): number {
    return this.#stdout.rows || 24;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#stdout.write(ENTER);
    this.#painted = [];
    this.#stdout.on('resize', this.#onResize);
    process.on('exit', this.#onExit);
    if (this.#frame !== '') this.#paint();
  }

  /** Gives the user's screen and cursor back. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stdout.off('resize', this.#onResize);
    process.off('exit', this.#onExit);
    this.#stdout.write(LEAVE);
  }

  /** Takes a frame. */
  write(frame: string, ...rest: unknown[]): boolean {
    this.#frame = frame;
    if (this.#isOpen) this.#paint();
    const done = rest.at(-1);
    if (typeof done === 'function') (done as () => void)();
    return true;
  }

  #paint(): void {
    const lines = this.#frame.split('\n').slice(0, this.rows);
    while (lines.length < this.rows) lines.push('');
    let out = '';
    for (const [y, line] of lines.entries()) {
      if (line === this.#painted[y]) continue;
      // After the last column, erasing would erase the last character.
      const rest = stringWidth(line) < this.columns ? `${ESC}K` : '';
      out += `${ESC}${String(y + 1)};1H${line}${ESC}0m${rest}`;
    }
    this.#painted = lines;
    if (out !== '') this.#stdout.write(`${BEGIN}${out}${END}`);
  }

  readonly #onResize = (): void => {
    // What the terminal does with the old lines is its own affair.
    this.#painted = [];
    this.#stdout.write(`${ESC}2J`);
    this.emit('resize');
  };

  /** The process ends without having closed the screen: only synchronous work is done now. */
  readonly #onExit = (): void => {
    try {
      writeSync(1, LEAVE);
    } catch {
      // The terminal is gone.
    }
  };
}
