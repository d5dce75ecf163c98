import type { Command } from 'commander';

/**
 * What to do if an argument begins with "-", such as the id of a job: the parser took it for an option. Undefined if that cannot be
 * what is wrong.
 * @param code  of the error of commander
 * @param words the command line, without the program
 */
export function dashHint(code: string, command: Command, words: readonly string[]): string | undefined {
  if (!mayBeArgument(code, command, words)) return undefined;
  const names = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  const path: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) path.unshift(at.name());
  return `An argument that begins with "-", such as an id, needs "--" before it: ${path.join(' ')} [options] -- ${names.join(' ')}`;
}

function mayBeArgument(code: string, command: Command, words: readonly string[]): boolean {
  // `-y` may be an id too. It is an option, so the id is missing.
  if (code === 'commander.missingArgument') return words.some((word) => /^-[^-]/.test(word));
  if (code !== 'commander.unknownOption') return false;
  // Behind the last argument, it can only be an option. `--word` is one, unless a required argument is missing.
  const { args, registeredArguments } = command;
  const at = args.findIndex((word) => word.startsWith('-'));
  const argument = registeredArguments[at];
  return argument !== undefined && (argument.required || !args[at]?.startsWith('--'));
}
