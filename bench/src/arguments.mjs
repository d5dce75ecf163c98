import { parseArgs } from 'node:util';

export const HELP = `Compares nestjs-chasqui with BullMQ on a private Redis server.

  npm run bench -- [options]

  --scenario NAME   only scenarios whose name contains NAME; may be repeated
  --list            print the names of the scenarios
  --rounds N        rounds, each of which measures every side once (default 5; with --quick 2)
  --quick           fewer rounds and fewer jobs: for use while working, not for quoting
  --only LIST       sides, by comma: peer, ours, peerTuned, oursQuiet, oursNest, oursPart (default all)
  --before DIR      another version of this project, built, as one more side: the scenarios before/*
  --profile DIR     write a CPU profile of every measured process to DIR, and print what costs most
  --commands        print what each side asked of the server
  --out DIR         where the report goes (default: bench/, and only for a full run)
  --keep            keep what the report there says of scenarios that are not measured now
  --json            print the report as JSON and nothing else
  --no-build        measure dist/ as it is
  --help            this text
`;

/** What was asked for does not exist: said in one line, without a stack. */
export class UsageError extends Error {}

/** @param {readonly string[]} argv */
export function readArguments(argv) {
  const { values } = parse({
    args: argv,
    options: {
      scenario: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      before: { type: 'string' },
      profile: { type: 'string' },
      commands: { type: 'boolean', default: false },
      out: { type: 'string' },
      keep: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds = Number(values.rounds ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(rounds) || rounds < 1) throw new UsageError('--rounds is a whole number from 1');
  return { ...values, rounds, build: !values['no-build'], only: values.only?.split(',') };
}

function parse(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError(error.message);
  }
}
