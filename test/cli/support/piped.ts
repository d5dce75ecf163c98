import { spawn } from 'node:child_process';
import { cliCommand } from './terminal.js';

/** A command that has ended, without a terminal. */
export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
  /** The output as JSON. */
  readonly json: never;
}

export interface PipedOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What the command reads from stdin. Default: nothing. */
  readonly input?: string;
}

export type Piped = (...args: (string | PipedOptions)[]) => Promise<Ended>;

/** Runs the built CLI as a process, with pipes instead of a terminal. */
export function usePipes(defaults: () => Readonly<Record<string, string | undefined>>): Piped {
  return (...args) => {
    const last = args.at(-1);
    const options = typeof last === 'object' ? last : {};
    const words = args.filter((arg) => typeof arg === 'string');
    return run([...cliCommand(), ...words], { ...options, env: { ...defaults(), ...options.env } });
  };
}

export function run(command: readonly string[], { env, input = '' }: PipedOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, { env: cleanEnvironment(env) });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({
        code,
        out,
        err,
        get json() {
          return JSON.parse(out) as never;
        },
      });
    });
  });
}

/** The environment of the tests, without what would change the output. */
function cleanEnvironment(env: PipedOptions['env']): NodeJS.ProcessEnv {
  const {
    NO_COLOR: _no,
    FORCE_COLOR: _force,
    CHASQUI_REDIS_URL: _url,
    REDIS_URL: _other,
    ...rest
  } = process.env;
  return { ...rest, ...env };
}
