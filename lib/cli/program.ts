import { Command, Help } from 'commander';
import type { Option } from 'commander';
import { engineVersion } from '../engine/base/version.js';
import { registerAdd } from './commands/add.js';
import { registerBench } from './commands/bench.js';
import { registerCompletion } from './commands/completion.js';
import { registerDlq } from './commands/dlq.js';
import { registerDoctor } from './commands/doctor.js';
import { registerEvents } from './commands/events.js';
import { registerGroups } from './commands/groups.js';
import { registerInspect } from './commands/inspect.js';
import { registerJob } from './commands/job.js';
import { registerJobs } from './commands/jobs.js';
import { registerRepeatable } from './commands/repeatable.js';
import { registerCleaning, registerSteer } from './commands/steer.js';
import { registerWatch } from './commands/watch.js';
import { GENERAL, addGlobalOptions } from './frame/globals.js';
import { duration } from './frame/parse.js';

/** Registers a command. It must load nothing but commander: help has to be instant. */
export type Register = (program: Command) => void;

/** In the order of the help. */
const COMMANDS: readonly Register[] = [
  // Look.
  registerInspect,
  registerWatch,
  registerEvents,
  registerDoctor,
  registerBench,
  registerJobs,
  registerJob,
  // Steer.
  registerSteer,
  registerGroups,
  registerDlq,
  registerRepeatable,
  registerAdd,
  // Clean.
  registerCleaning,
  registerCompletion,
];

const EPILOGUE = `
Passwords: set CHASQUI_REDIS_PASSWORD (and CHASQUI_SENTINEL_PASSWORD), or pass --ask-password.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or not confirmed, 5 no connection, 10 and 11 findings of doctor, 130 interrupted.
Completion: chasqui completion bash|zsh|fish --help
Docs: docs/cli.md of nestjs-chasqui`;

/** The whole command line, without anything that talks to Redis. */
export function createProgram(): Command {
  const program = new Command('chasqui')
    .description('Steers, looks at and cleans up the queues of nestjs-chasqui.')
    .version(engineVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .showSuggestionAfterError()
    .configureHelp({
      showGlobalOptions: true,
      visibleGlobalOptions: generalOptions,
      // One line for each command: its options are in its own help.
      subcommandTerm: (command) => `${command.name()} ${argumentsOf(command)}`.trim(),
    })
    .addHelpText('after', EPILOGUE);
  addGlobalOptions(program, duration);
  for (const register of COMMANDS) register(program);
  return program;
}

function argumentsOf(command: Command): string {
  if (command.commands.length > 0) return command.commands.map((child) => child.name()).join('|');
  return command.registeredArguments
    .map((argument) => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`))
    .join(' ');
}

/** The help of a command leaves out how to connect: that is the same for all, and long. */
function generalOptions(command: Command): Option[] {
  const help = Object.assign(new Help(), { showGlobalOptions: true });
  return help.visibleGlobalOptions(command).filter((option) => GENERAL.has(option.attributeName()));
}
