import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from './src/build.mjs';
import { describeMachine, versions } from './src/machine.mjs';
import { drawOnScreen } from './src/report/screen.mjs';
import { startServer } from './src/server.mjs';
import { HELP, readArguments } from './src/soak/arguments.mjs';
import { checksGrid, growthGrid } from './src/soak/grids.mjs';
import { judge } from './src/soak/measures.mjs';
import { runSoak } from './src/soak/run.mjs';
import { timesOf } from './src/soak/settings.mjs';
import { writeSoak } from './src/soak/write.mjs';

const QUOTABLE_MINUTES = 60;
const INTERRUPTED = 130;

const options = readArguments(process.argv.slice(2));
if (options.help) process.stdout.write(HELP);
else await soak();

async function soak() {
  if (options.build) buildIfStale();
  const { rate, json, minutes } = options;
  const times = timesOf(minutes);
  const interruption = new AbortController();
  // Once ends the load; a second time ends the process, as it would without us.
  process.once('SIGINT', () => interruption.abort());
  process.once('SIGTERM', () => interruption.abort());

  const server = await startServer({ slowCalls: false });
  try {
    const result = await runSoak(server, { rate, json, ...times }, interruption.signal);
    const rows = judge(result.samples, times);
    const grown = rows.filter(({ judged, grows }) => judged && grows).map(({ title }) => title);
    const wrong = result.checks.filter(({ ok }) => !ok).map(({ title }) => title);
    const report = {
      date: new Date().toISOString().slice(0, 10),
      verdict: verdictOf(grown, wrong, rows),
      rate,
      ranMs: Math.round(result.ranMs),
      warmUpMs: times.warmUpMs,
      versions: versions(),
      server: `${server.product} ${server.version}`,
      machine: describeMachine(),
      counts: result.counts,
      checks: result.checks,
      examples: result.examples,
      rows,
      samples: result.samples,
    };
    const grids = { growth: growthGrid(rows), checks: checksGrid(result.checks) };
    if (json) {
      console.log(JSON.stringify(report, null, 2));
    } else {
      for (const grid of Object.values(grids)) console.log(drawOnScreen(grid));
      for (const example of result.examples) console.log(example);
      console.log(report.verdict);
    }
    const interrupted = interruption.signal.aborted;
    const folder = interrupted ? undefined : reportFolder();
    if (folder) await writeSoak(folder, report, grids);
    if (interrupted) process.exitCode = INTERRUPTED;
    else if (grown.length + wrong.length > 0) process.exitCode = 1;
  } finally {
    await server.stop();
  }
}

function verdictOf(grown, wrong, rows) {
  if (grown.length + wrong.length === 0) {
    const growth = rows.every(({ judged }) => judged) ? 'Nothing grew, nothing' : 'Nothing';
    return `${growth} was lost, nothing ran too often.`;
  }
  return [
    ...(grown.length > 0 ? [`Grew: ${grown.join(', ')}.`] : []),
    ...(wrong.length > 0 ? [`Wrong: ${wrong.join(', ')}.`] : []),
  ].join(' ');
}

/** Only a run of an hour may replace the report that is quoted. */
function reportFolder() {
  if (options.out) return resolve(options.out);
  return options.minutes >= QUOTABLE_MINUTES ? fileURLToPath(new URL('.', import.meta.url)) : undefined;
}
