import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VARIANTS } from '../drivers/index.mjs';
import { profileName, topFunctions } from './profile.mjs';
import { median } from './stats.mjs';

const TOP = 25;
const COST_KEYS = ['clientCpuUs', 'redisCpuUs', 'stallMs'];

/** Processor time per job, for every scenario that counts jobs, unless it says that this is not to be told. */
export function costsOf(scenarios, rounds) {
  return scenarios
    .filter(({ costs = true }) => costs)
    .map(({ name, title }) => ({ scenario: name, title, values: mediansOf(rounds.get(name) ?? []) }))
    .filter(({ values }) => Object.values(values).some(({ clientCpuUs }) => clientCpuUs !== undefined));
}

function mediansOf(rounds) {
  const byVariant = {};
  for (const variant of Object.keys(rounds[0] ?? {})) {
    byVariant[variant] = {};
    for (const key of COST_KEYS) {
      const values = rounds
        .map((round) => round[variant]?.values[key])
        .filter((value) => value !== undefined);
      if (values.length > 0) byVariant[variant][key] = median(values);
    }
  }
  return byVariant;
}

/** Calls and time per command, of the last round. */
export function printCommands(scenarios, rounds) {
  for (const { name } of scenarios) {
    for (const [variant, { commands, jobs, seconds }] of Object.entries(rounds.get(name).at(-1))) {
      console.log(
        `\n${name} · ${VARIANTS[variant].title}: what the server did per ${jobs > 0 ? 'job' : 'second'}`,
      );
      const most = Object.entries(commands).sort(([, a], [, b]) => b.usec - a.usec);
      for (const [command, { calls, usec }] of most) {
        const per = jobs || seconds;
        console.log(
          `  ${command.padEnd(20)} ${(calls / per).toFixed(4)} calls  ${(usec / per).toFixed(3)} µs  ${(usec / calls).toFixed(2)} µs a call`,
        );
      }
    }
  }
}

export async function printProfiles(folder, scenarios, variants) {
  const files = await readdir(folder);
  for (const { name } of scenarios) {
    for (const variant of variants) {
      const file = profileName(name, variant, 0);
      if (!files.includes(file)) continue;
      console.log(`\n${name} · ${VARIANTS[variant].title}: self % · with callees % · function`);
      for (const one of await topFunctions(join(folder, file), TOP)) {
        const percent = (share) => (share * 100).toFixed(1).padStart(5);
        console.log(`  ${percent(one.self)} ${percent(one.total)}  ${one.name}  ${one.place}`);
      }
    }
  }
}
