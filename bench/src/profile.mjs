import { readFile, writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const SAMPLING_US = 200;

/** A scenario that is a point of a curve has a slash in its name. */
export function profileName(scenario, variant, index) {
  return `${scenario.replaceAll('/', '-')}.${variant}.${index}.cpuprofile`;
}

/**
 * Profiles this process from now on.
 *
 * @param {string} file where the profile goes
 * @returns ends the profile and writes it
 */
export async function startProfile(file) {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    await writeFile(file, JSON.stringify(profile));
  };
}

/**
 * The functions in which most time was spent, themselves and with what they call.
 *
 * @param {string} file
 * @param {number} count
 */
export async function topFunctions(file, count) {
  const { nodes, samples, timeDeltas } = JSON.parse(await readFile(file, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, { ...node, parent: undefined, self: 0 }]));
  for (const node of byId.values()) {
    for (const child of node.children ?? []) byId.get(child).parent = node;
  }
  samples.forEach((id, index) => (byId.get(id).self += timeDeltas[index]));

  const functions = new Map();
  const entry = (node) => {
    const { functionName, url, lineNumber } = node.callFrame;
    const place = url === '' ? '' : `${shortUrl(url)}:${lineNumber + 1}`;
    const key = `${functionName || '(anonymous)'} ${place}`;
    if (!functions.has(key))
      functions.set(key, { name: functionName || '(anonymous)', place, self: 0, total: 0 });
    return functions.get(key);
  };
  let all = 0;
  for (const node of byId.values()) {
    all += node.self;
    entry(node).self += node.self;
    const seen = new Set();
    for (let at = node; at; at = at.parent) {
      const one = entry(at);
      if (!seen.has(one)) one.total += node.self;
      seen.add(one);
    }
  }
  return [...functions.values()]
    .filter(({ name }) => name !== '(root)')
    .sort((a, b) => b.self - a.self)
    .slice(0, count)
    .map(({ name, place, self, total }) => ({ name, place, self: self / all, total: total / all }));
}

function shortUrl(url) {
  if (!url.startsWith('file:')) return url;
  return relative(process.cwd(), fileURLToPath(url));
}
