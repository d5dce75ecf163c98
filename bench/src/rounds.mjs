import { USUAL, VARIANTS } from '../drivers/index.mjs';
import { measure } from './measure.mjs';
import { format } from './metrics.mjs';
import { startProgress } from './progress.mjs';

/**
 * A B A B: every round measures each side once; the order turns with the round. A measurement that fails is left out,
 * and fails the run at its end.
 *
 * @returns {Promise<Map<string, object[]>>} per scenario, by round: what each variant measured
 */
export async function measureAll(scenarios, variants, target) {
  const planned = plan(scenarios, variants, target.rounds);
  const progress = startProgress(planned.length, { silent: target.json });
  const results = new Map(scenarios.map(({ name }) => [name, []]));
  try {
    for (const { scenario, round, variant } of planned) {
      const what = `${scenario.name} · ${VARIANTS[variant].title}`;
      progress.begin(what);
      const rounds = results.get(scenario.name);
      rounds[round] ??= {};
      try {
        const measured = await measure(scenario, variant, target);
        rounds[round][variant] = measured;
        const values = scenario.metrics.map(({ key }) => format(key, measured.values[key]));
        progress.step(`${what} · ${values.join(' · ')}`);
      } catch (error) {
        process.exitCode = 1;
        progress.step(`${what} · failed: ${error.message}`);
      }
    }
  } finally {
    progress.stop();
  }
  return results;
}

function plan(scenarios, variants, rounds) {
  return scenarios.flatMap((scenario) => {
    const sides = variants.filter((name) => (scenario.variants ?? USUAL).includes(name));
    return Array.from({ length: Math.min(rounds, scenario.rounds ?? Infinity) }, (_, round) =>
      (round % 2 === 0 ? sides : sides.toReversed()).map((variant) => ({ scenario, round, variant })),
    ).flat();
  });
}
