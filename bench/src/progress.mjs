import { MultiBar, Presets } from 'cli-progress';

/**
 * A bar on a terminal, a line per measurement elsewhere, nothing with `silent`.
 *
 * @param {number} total measurements
 * @param {{ silent: boolean }} options
 */
export function startProgress(total, { silent }) {
  if (silent) return { begin: () => undefined, step: () => undefined, stop: () => undefined };
  if (!process.stderr.isTTY) return lines(total);
  const bars = new MultiBar(
    {
      format: '{bar} {value}/{total} · {eta_formatted} left · {what}',
      stream: process.stderr,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  const bar = bars.create(total, 0, { what: '' });
  return {
    begin: (what) => bar.update({ what }),
    step: (line) => {
      bars.log(`${line}\n`);
      bar.increment();
    },
    stop: () => bars.stop(),
  };
}

function lines(total) {
  let done = 0;
  return {
    begin: () => undefined,
    step: (line) => {
      done += 1;
      process.stderr.write(`${String(done).padStart(String(total).length)}/${total} ${line}\n`);
    },
    stop: () => undefined,
  };
}
