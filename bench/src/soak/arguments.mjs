import { parseArgs } from 'node:util';

export const HELP = `Runs a mixed load for a long time, and looks whether anything grows, is lost, or happens twice.

  npm run soak -- [options]

  --minutes N    how long (default 60); in less than 6 only the jobs are counted: growth cannot be judged
  --rate N       jobs a second (default 500)
  --out DIR      where the report goes (default: bench/, and only for a run of an hour or more)
  --json         print the report as JSON and nothing else
  --no-build     run dist/ as it is
  --help         this text

Ctrl-C ends the load early and closes everything; what was seen until then is printed, and nothing is written.
The exit code is 1 where something grew, was lost or ran too often, and 130 after Ctrl-C.
`;

/** @param {readonly string[]} argv */
export function readArguments(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      minutes: { type: 'string', default: '60' },
      rate: { type: 'string', default: '500' },
      out: { type: 'string' },
      json: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 0.5 && minutes <= 10_000)) throw new Error('--minutes is a number from 0.5 to 10,000');
  const rate = Number(values.rate);
  if (!(rate >= 1 && rate <= 100_000)) throw new Error('--rate is a number from 1 to 100,000');
  return { ...values, minutes, rate, build: !values['no-build'] };
}
