import { UsageError } from './arguments.mjs';

/** In the order of the report. A name with a slash is one point of a curve. */
const FILES = [
  'add-awaited',
  'add-concurrent',
  'add-bulk',
  'worker-100',
  'worker-1',
  'worker-waiting',
  'delayed',
  'retries',
  'results',
  'latency',
  'gate',
  'tracked-100',
  'tracked-add',
  'memory-tracked',
  'memory-waiting',
  'memory-delayed',
  'idle',
  'nest',
  'telemetry',
  'growth-waiting',
  'growth-delayed',
  'growth-promotion',
  'growth-take',
  'growth-specs',
  'growth-processes',
  'growth-payload',
  'growth-queues',
  'heap-backlog',
  'unused',
  'before',
];

/** @returns {Promise<object[]>} */
export async function allScenarios() {
  const modules = await Promise.all(FILES.map((file) => import(`../scenarios/${file}.mjs`)));
  return modules.flatMap((module) => module.default);
}

/** @param {string} name */
export async function loadScenario(name) {
  const module = await import(`../scenarios/${name.split('/')[0]}.mjs`);
  return [module.default].flat().find((scenario) => scenario.name === name);
}

/**
 * @param {readonly string[]} wanted names, or parts of names; none means all
 */
export async function selectScenarios(wanted) {
  const all = await allScenarios();
  const unknown = wanted.filter((part) => !all.some(({ name }) => name.includes(part)));
  if (unknown.length > 0) {
    throw new UsageError(
      `No scenario is named like '${unknown[0]}'. There are: ${all.map(({ name }) => name).join(', ')}`,
    );
  }
  if (wanted.length === 0) return all;
  const exact = (part) => all.some(({ name }) => name === part);
  return all.filter(({ name }) => wanted.some((part) => (exact(part) ? name === part : name.includes(part))));
}
