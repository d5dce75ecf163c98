import { METRICS } from './metrics.mjs';
import { median, pairedRatio, spread } from './stats.mjs';

/**
 * @typedef {{ median: number, min: number, max: number }} Ratio
 *
 * @typedef {object} Row one line of a table: one metric of one scenario
 * @property {string} scenario
 * @property {string} title
 * @property {'main' | 'groups' | 'before' | 'nest' | 'telemetry' | 'growth' | 'unused'} group
 * @property {string} metric
 * @property {Record<string, number>} medians by variant
 * @property {Record<string, number>} spreads by variant: (max − min) / median
 * @property {Record<string, Ratio>} ratios of each variant to BullMQ's defaults
 * @property {Record<string, Ratio>} tunedRatios of ours to BullMQ tuned
 * @property {Record<string, Ratio>} growth of each variant to the first point of its curve
 * @property {{ of: string, to: string }} [sides] the variants whose ratio stands as ours, where it is not to BullMQ
 * @property {Ratio} [alsoRatio] of the first of these sides to one more, without a target
 * @property {string} target
 * @property {boolean | undefined} met undefined where there is no target, or nothing to compare
 * @property {boolean | undefined} quietMet
 */

/**
 * @param {object[]} scenarios
 * @param {Map<string, object[]>} rounds per scenario, by round: what each variant measured
 * @returns {Row[]}
 */
export function rowsOf(scenarios, rounds) {
  return scenarios.flatMap((scenario) => scenario.metrics.map((metric) => rowOf(scenario, metric, rounds)));
}

function rowOf(scenario, metric, rounds) {
  const { label } = METRICS[metric.key];
  const values = valuesOf(rounds.get(scenario.name) ?? [], metric.key);
  const base = metric.against ? valuesOf(rounds.get(metric.against) ?? [], metric.key) : {};
  const row = {
    scenario: scenario.name,
    title: label === '' ? scenario.title : `${scenario.title}: ${label}`,
    group: scenario.group ?? 'main',
    metric: metric.key,
    medians: {},
    spreads: {},
    ratios: {},
    tunedRatios: {},
    growth: {},
    target: targetText(metric),
  };
  for (const [variant, all] of Object.entries(values)) {
    const known = all.filter((value) => value !== undefined);
    if (known.length === 0) continue;
    row.medians[variant] = median(known);
    row.spreads[variant] = spread(known);
    if (variant !== 'peer' && values.peer) row.ratios[variant] = pairedRatio(all, values.peer);
    if (variant.startsWith('ours') && values.peerTuned)
      row.tunedRatios[variant] = pairedRatio(all, values.peerTuned);
    if (base[variant]) row.growth[variant] = pairedRatio(all, base[variant]);
  }
  if (metric.of) {
    row.sides = { of: metric.of, to: metric.to };
    row.ratios.ours = pairedRatio(values[metric.of] ?? [], values[metric.to] ?? []);
    if (metric.also) row.alsoRatio = pairedRatio(values[metric.of] ?? [], values[metric.also] ?? []);
  }
  return { ...row, ...verdict(metric, row) };
}

/** By variant, one value a round; undefined where that measurement failed. */
function valuesOf(rounds, key) {
  const variants = new Set(rounds.flatMap((round) => Object.keys(round)));
  return Object.fromEntries(
    [...variants].map((variant) => [variant, rounds.map((round) => round[variant]?.values[key])]),
  );
}

function verdict({ key, target, quietTarget, limit, floor, against }, { medians, ratios, growth }) {
  if (limit !== undefined) return { met: medians.ours === undefined ? undefined : medians.ours <= limit };
  if (floor !== undefined) return { met: medians.ours === undefined ? undefined : medians.ours >= floor };
  const reaches = (ratio, wanted) => {
    if (ratio === undefined || wanted === undefined) return undefined;
    return METRICS[key].better === 'higher' ? ratio.median >= wanted : ratio.median <= wanted;
  };
  return {
    met: reaches(against ? growth.ours : ratios.ours, target),
    quietMet: reaches(ratios.oursQuiet, quietTarget),
  };
}

function targetText({ key, target, quietTarget, limit, floor, against }) {
  if (limit !== undefined) return `≤ ${limit.toLocaleString('en-US')}`;
  if (floor !== undefined) return `≥ ${floor.toLocaleString('en-US')}`;
  if (target === undefined) return '';
  const sign = METRICS[key].better === 'higher' ? '≥' : '≤';
  const quiet = quietTarget === undefined ? '' : `; no events ${sign} ${quietTarget}×`;
  return `${sign} ${target}×${against ? ' of the first' : ''}${quiet}`;
}

/** A mark for a row: met, missed, or nothing to say. */
export function markOf({ met, quietMet }) {
  const marks = [met, quietMet].filter((one) => one !== undefined);
  return marks.map((one) => (one ? '✓' : '✗')).join(' ');
}
