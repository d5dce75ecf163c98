import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkVariants, USUAL, VARIANTS } from './drivers/index.mjs';
import { HELP, readArguments, UsageError } from './src/arguments.mjs';
import { buildIfStale } from './src/build.mjs';
import { costsOf, printCommands, printProfiles } from './src/details.mjs';
import { describeMachine, versions } from './src/machine.mjs';
import { measureNative, sharesOf } from './src/native.mjs';
import { drawOnScreen } from './src/report/screen.mjs';
import { comparison, costs, growth, nest, pair, shares, telemetry, unused } from './src/report/tables.mjs';
import { keptFrom, writeReport } from './src/report/write.mjs';
import { measureAll } from './src/rounds.mjs';
import { rowsOf } from './src/rows.mjs';
import { allScenarios, selectScenarios } from './src/scenarios.mjs';
import { startServer } from './src/server.mjs';

try {
  await main(readArguments(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\nnpm run bench -- --help says what there is.`);
  process.exitCode = 2;
}

async function main(options) {
  if (options.help) {
    process.stdout.write(HELP);
  } else if (options.list) {
    for (const { name, title } of await selectScenarios(options.scenario))
      console.log(`${name.padEnd(26)} ${title}`);
  } else {
    await bench(options);
  }
}

async function bench(options) {
  if (options.build) buildIfStale();
  // The processes that measure know it by this.
  if (options.before) process.env.BENCH_BEFORE = resolve(options.before);
  const selected = await selectScenarios(options.scenario);
  const scenarios = selected.filter(({ group }) => group !== 'before' || options.before);
  const unknown = options.only?.find((name) => !Object.hasOwn(VARIANTS, name));
  if (unknown !== undefined) {
    throw new UsageError(`No side is named '${unknown}'. There are: ${Object.keys(VARIANTS).join(', ')}`);
  }
  const variants = Object.keys(VARIANTS).filter((name) => options.only?.includes(name) ?? true);
  await checkVariants(
    variants.filter((name) => scenarios.some((one) => (one.variants ?? USUAL).includes(name))),
  );
  const profileDir = options.profile && resolve(options.profile);
  if (profileDir) await mkdir(profileDir, { recursive: true });

  const server = await startServer();
  try {
    const native = await measureNative(server.admin);
    const measured = await measureAll(scenarios, variants, { ...options, ...server, profileDir });
    const folder = reportFolder(options);
    const kept = options.keep && folder ? await keptFrom(folder, versions()) : [];
    const rounds = new Map([...kept, ...measured]);
    const reported = (await allScenarios()).filter(({ name }) => rounds.has(name));
    const rows = rowsOf(reported, rounds);
    const report = {
      date: new Date().toISOString().slice(0, 10),
      quick: quickOf(rounds),
      rounds: options.rounds,
      versions: versions(),
      server: `${server.product} ${server.version}`,
      machine: describeMachine(),
      native,
      rows,
      costs: costsOf(reported, rounds),
      shares: sharesOf(reported, rows, native),
      measurements: Object.fromEntries(rounds),
    };
    const grids = gridsOf(report);
    if (options.json) {
      console.log(JSON.stringify(report, null, 2));
    } else {
      for (const grid of Object.values(grids)) if (grid.rows.length > 0) console.log(drawOnScreen(grid));
      const { roundTripUs, xaddUs } = native;
      console.log(
        `A round trip takes ${roundTripUs.toFixed(0)} µs (PING), an XADD that is awaited ${xaddUs.toFixed(0)} µs.`,
      );
    }
    if (options.commands) printCommands(scenarios, rounds);
    if (profileDir) await printProfiles(profileDir, scenarios, variants);
    if (folder) await writeReport(folder, report, grids);
  } finally {
    await server.stop();
  }
}

/** Which scenarios, or curves, were measured with fewer jobs: all that are kept from an earlier run among them. */
function quickOf(rounds) {
  const quick = [...rounds].filter(([, all]) =>
    all.some((round) => Object.values(round).some((one) => one.quick)),
  );
  return quick.length === rounds.size ? 'all' : [...new Set(quick.map(([name]) => name.split('/')[0]))];
}

function gridsOf(report) {
  const known = new Set(report.rows.flatMap(({ medians }) => Object.keys(medians)));
  const variants = Object.keys(VARIANTS).filter((name) => known.has(name));
  const usual = variants.filter((name) => USUAL.includes(name));
  const inGroup = (group) => report.rows.filter((row) => row.group === group);
  return {
    comparison: comparison(inGroup('main'), usual),
    nest: nest(inGroup('nest')),
    groups: pair(inGroup('groups'), 'groups that take turns', ['peerGroups', 'ours'], 'ours / GroupMQ'),
    before: pair(inGroup('before'), 'without newer features', ['oursBefore', 'ours'], 'now / before'),
    telemetry: telemetry(inGroup('telemetry')),
    costs: costs(
      report.costs,
      variants.filter((name) => name !== 'oursPart'),
    ),
    growth: growth(inGroup('growth'), usual),
    unused: unused(inGroup('unused')),
    shares: shares(report.shares, usual),
  };
}

/** Only a full run may replace the report that is quoted. */
function reportFolder(options) {
  if (options.out) return resolve(options.out);
  const full = !options.quick && options.rounds >= 5 && options.scenario.length === 0 && !options.only;
  return full ? fileURLToPath(new URL('.', import.meta.url)) : undefined;
}
