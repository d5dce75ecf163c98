import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Span } from './tracing/span.js';

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** One of the applications, in its own process. Its output is printed with its name. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<unknown>;

  constructor(
    private readonly name: string,
    env: NodeJS.ProcessEnv,
    onSpans: (spans: readonly Span[]) => void,
  ) {
    const args = ['--import', new URL('instrumentation.js', import.meta.url).href, pathOf(`${name}/main.js`)];
    const child = spawn(process.execPath, args, {
      env: { ...env, OTEL_SERVICE_NAME: name },
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      // A Ctrl-C in the terminal reaches only the parent, which then stops its children in order.
      detached: true,
    });
    this.#process = child;
    this.#ended = once(child, 'exit');
    this.#lines = createInterface(child.stdout as Readable);
    this.#lines.on('line', (line) => {
      console.log(`${name.padEnd(6)} | ${line}`);
    });
    child.on('message', (message) => {
      onSpans((message as { spans: Span[] }).spans);
    });
  }

  /** Waits for a line. */
  line(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.#lines.on('line', (line) => {
        const match = pattern.exec(line);
        if (match) resolve(match);
      });
      this.#lines.on('close', () => {
        reject(new Error(`The process "${this.name}" has ended too early.`));
      });
    });
  }

  /** Stops it as an orchestrator does, and waits until it has ended. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#ended;
  }
}
