import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { VARIANTS } from './drivers/index.mjs';
import { HELP, readArguments } from './src/arguments.mjs';
import { buildIfStale } from './src/build.mjs';
import { costsOf, printCommands, printProfiles } from './src/details.mjs';
import { measure } from './src/measure.mjs';
import { format } from './src/metrics.mjs';
import { startProgress } from './src/progress.mjs';
import { screenCosts, screenTable } from './src/report/screen.mjs';
import { rowsOf } from './src/rows.mjs';
import { selectScenarios } from './src/scenarios.mjs';
import { startServer } from './src/server.mjs';

const options = readArguments(process.argv.slice(2));
if (options.help) {
  process.stdout.write(HELP);
} else if (options.list) {
  for (const { name, title } of await selectScenarios(options.scenario))
    console.log(`${name.padEnd(24)} ${title}`);
} else {
  await bench();
}

async function bench() {
  if (options.build) buildIfStale();
  const scenarios = await selectScenarios(options.scenario);
  const variants = Object.keys(VARIANTS).filter((name) => options.only?.includes(name) ?? true);
  const profileDir = options.profile && resolve(options.profile);
  if (profileDir) await mkdir(profileDir, { recursive: true });

  const server = await startServer();
  try {
    const rounds = await measureAll(scenarios, variants, { ...server, quick: options.quick, profileDir });
    const rows = rowsOf(scenarios, rounds);
    const costs = costsOf(scenarios, rounds);
    console.log(screenTable(rows, variants));
    console.log(screenCosts(costs, variants));
    if (options.commands) printCommands(scenarios, rounds);
    if (profileDir) await printProfiles(profileDir, scenarios, variants);
  } finally {
    await server.stop();
  }
}

/** A B A B: every round measures each side once; the order turns with the round. */
async function measureAll(scenarios, variants, target) {
  const roundsOf = (scenario) => Math.min(options.rounds, scenario.rounds ?? Infinity);
  const sidesOf = (scenario) => variants.filter((name) => scenario.variants?.includes(name) ?? true);
  const total = scenarios.reduce((sum, one) => sum + roundsOf(one) * sidesOf(one).length, 0);
  const progress = startProgress(total, { silent: options.json });
  const results = new Map();
  try {
    for (const scenario of scenarios) {
      const rounds = [];
      results.set(scenario.name, rounds);
      for (let round = 0; round < roundsOf(scenario); round += 1) {
        const sides = sidesOf(scenario);
        rounds.push({});
        for (const variant of round % 2 === 0 ? sides : sides.toReversed()) {
          const what = `${scenario.name} · ${VARIANTS[variant].title}`;
          progress.begin(what);
          const measured = await measure(scenario, variant, target);
          rounds[round][variant] = measured;
          const values = scenario.metrics.map(({ key }) => format(key, measured.values[key]));
          progress.step(`${what} · ${values.join(' · ')}`);
        }
      }
    }
  } finally {
    progress.stop();
  }
  return results;
}
