import { METRICS } from './metrics.mjs';
import { median, pairedRatio, spread } from './stats.mjs';

/**
 * @typedef {object} Row one line of the table: one metric of one scenario
 * @property {string} scenario
 * @property {string} title
 * @property {string} metric
 * @property {Record<string, number>} medians by variant
 * @property {Record<string, number>} spreads by variant
 * @property {Record<string, { median: number, min: number, max: number }>} ratios of each variant to BullMQ's defaults
 * @property {string} target
 * @property {boolean | undefined} met undefined where there is no target, or no pair
 * @property {boolean | undefined} quietMet
 */

/**
 * @param {object[]} scenarios
 * @param {Map<string, object[]>} rounds per scenario, by round: what each variant measured
 * @returns {Row[]}
 */
export function rowsOf(scenarios, rounds) {
  return scenarios.flatMap((scenario) =>
    scenario.metrics.map((metric) => rowOf(scenario, metric, rounds.get(scenario.name) ?? [])),
  );
}

function rowOf(scenario, metric, rounds) {
  const { label, better } = METRICS[metric.key];
  const values = {};
  for (const round of rounds) {
    for (const variant of Object.keys(round)) {
      values[variant] ??= rounds.map((one) => one[variant]?.values[metric.key]);
    }
  }
  const medians = {};
  const spreads = {};
  const ratios = {};
  for (const [variant, all] of Object.entries(values)) {
    const known = all.filter((value) => value !== undefined);
    if (known.length === 0) continue;
    medians[variant] = median(known);
    spreads[variant] = spread(known);
    if (variant !== 'peer' && values.peer) ratios[variant] = pairedRatio(all, values.peer);
  }
  const reaches = (ratio, target) =>
    ratio === undefined || target === undefined
      ? undefined
      : better === 'higher'
        ? ratio.median >= target
        : ratio.median <= target;
  const within = (value) => (value === undefined ? undefined : value <= metric.limit);

  return {
    scenario: scenario.name,
    title: label === '' ? scenario.title : `${scenario.title}: ${label}`,
    metric: metric.key,
    medians,
    spreads,
    ratios,
    target: targetText(metric, better),
    met: metric.limit === undefined ? reaches(ratios.ours, metric.target) : within(medians.ours),
    quietMet: reaches(ratios.oursQuiet, metric.quietTarget),
  };
}

function targetText({ target, quietTarget, limit }, better) {
  if (limit !== undefined) return `≤ ${limit}`;
  if (target === undefined) return '';
  const sign = better === 'higher' ? '≥' : '≤';
  const quiet = quietTarget === undefined ? '' : `; no events ${sign} ${quietTarget}×`;
  return `${sign} ${target}×${quiet}`;
}

/** A mark for a row: met, missed, or nothing to say. */
export function markOf({ met, quietMet }) {
  const marks = [met, quietMet].filter((one) => one !== undefined);
  return marks.map((one) => (one ? '✓' : '✗')).join(' ');
}
