import type { Command } from 'commander';
import type { Context } from './context.js';
import type { GlobalOptions } from './globals.js';

/** A command at work. `args` and `options` are as commander has read them. Resolves with an exit code, if it is not 0. */
export type Action<Args extends readonly unknown[], Options> = (
  context: Context,
  args: Args,
  options: Options,
) => Promise<number | undefined> | Promise<void>;

/** What runs an action: set by `main`, so that help loads neither Redis nor the actions. */
export type Runner = (
  globals: GlobalOptions,
  action: (context: Context) => Promise<number | undefined> | Promise<void>,
) => Promise<void>;

const runners = new WeakMap<Command, Runner>();

export function setRunner(program: Command, runner: Runner): void {
  runners.set(program, runner);
}

/** The handler of a command whose code is loaded when it runs. */
export function lazily<Args extends readonly unknown[], Options>(
  load: () => Promise<Action<Args, Options>>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.pop() as Command;
    const options = given.pop() as Options;
    const program = rootOf(command);
    const runner = runners.get(program);
    if (!runner) throw new Error('The program has no runner.');
    await runner(program.opts<GlobalOptions>(), async (context) => {
      const action = await load();
      return (await action(context, given as unknown as Args, options)) ?? undefined;
    });
  };
}

export function rootOf(command: Command): Command {
  let root = command;
  while (root.parent) root = root.parent;
  return root;
}
