import { setTimeout as delay } from 'node:timers/promises';

const EVERY_MS = 5_000;
const PATIENCE_MS = 10_000;

type Counts = Record<'waiting' | 'active' | 'delayed' | 'completed' | 'failed', number>;
type Progress = Record<'orders' | 'payments', Counts>;

/** Prints a line every five seconds, until the signal is aborted. */
export async function printProgress(url: string, signal: AbortSignal): Promise<void> {
  for (let elapsed = EVERY_MS; ; elapsed += EVERY_MS) {
    await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    console.log(`${String(elapsed / 1_000).padStart(4)} s | ${describe(await read(url))}`);
  }
}

/** Waits until no job is unfinished, but not for ever: retries may take long. Prints the last numbers. */
export async function untilDone(url: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let progress = await read(url);
  while (unfinished(progress) > 0 && performance.now() < deadline) {
    await delay(200);
    progress = await read(url);
  }
  console.log(describe(progress));
}

async function read(url: string): Promise<Progress> {
  return (await (await fetch(url)).json()) as Progress;
}

function unfinished(progress: Progress): number {
  const counts = Object.values(progress);
  return counts.reduce((sum, { waiting, active, delayed }) => sum + waiting + active + delayed, 0);
}

function describe({ orders, payments }: Progress): string {
  const retries = orders.delayed + payments.delayed;
  return `${orders.completed} orders done, ${payments.completed} paid, ${payments.failed} declined, ${retries} wait for a retry`;
}
