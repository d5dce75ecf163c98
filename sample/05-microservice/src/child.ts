import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** One of the two applications, in its own process. Its output is printed with its name. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #ended: Promise<unknown>;
  readonly #name: string;

  constructor(name: string, env: NodeJS.ProcessEnv) {
    this.#name = name;
    const file = fileURLToPath(new URL(`${name}.js`, import.meta.url));
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    this.#ended = once(child, 'exit');
    this.#lines = createInterface(child.stdout);
    this.#lines.on('line', (line) => {
      console.log(`  ${name.padEnd(7)} | ${line}`);
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
        reject(new Error(`The ${this.#name} has ended too early.`));
      });
    });
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#ended;
  }
}
