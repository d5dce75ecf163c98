import type { Output } from './output.js';

export interface Progress {
  /** As the `onProgress` of the engine's long operations. */
  readonly update: (progress: { done: number; total?: number | undefined }) => void;
  stop(): void;
}

/** A progress bar on stderr, if that is a terminal that can move its cursor. */
export async function progressBar(out: Output, what: string, total?: number): Promise<Progress> {
  const canMove = process.stderr.isTTY && process.env['TERM'] !== 'dumb';
  if (!canMove || out.json) return { update: () => undefined, stop: () => undefined };
  const { SingleBar } = await import('cli-progress');
  const bar = new SingleBar({
    stream: process.stderr,
    format: total === undefined ? `${what} {value}` : `${what} [{bar}] {value}/{total}`,
    barsize: Math.max(8, Math.min(40, (process.stderr.columns || 80) - what.length - 26)),
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    hideCursor: true,
    clearOnComplete: true,
    linewrap: true,
    gracefulExit: false,
    formatValue: (value) => value.toLocaleString('en-US'),
  });
  bar.start(total ?? 0, 0);
  let stopped = false;
  const progress: Progress = {
    update: ({ done, total: known }) => {
      if (known !== undefined && known !== bar.getTotal()) bar.setTotal(known);
      bar.update(done);
    },
    stop: () => {
      if (stopped) return;
      stopped = true;
      bar.stop();
    },
  };
  out.atEnd(progress);
  return progress;
}
