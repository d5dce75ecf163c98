import type { Ledger } from './ledger.mjs';

/** The data of a job: what its handler does. */
export type Task =
  | {
      do: 'finish' | 'exit' | 'exhaust-heap' | 'hold' | 'hold-deaf' | 'hold-then-fail' | 'fail';
      pad?: string;
    }
  | SleepTask
  | SpawnTask;

interface SleepTask {
  do: 'sleep' | 'block';
  ms: number;
  pad?: string;
}

/** Adds children when it is let go, or when it is told to stop. */
interface SpawnTask {
  do: 'hold-then-add';
  children: string[];
}

export interface Gate {
  /** Lets all waiting handlers continue, and all later ones. */
  release(): void;
}

/** The processor of every worker in the fault tests; `add` is for tasks that add jobs. */
export function createProcessor(
  ledger: Ledger,
  add?: (id: string) => Promise<unknown>,
): { processor: (job: unknown, signal: AbortSignal) => Promise<unknown>; gate: Gate };

/** Writes what a worker announces into the ledger. */
export function recordEvents(
  worker: { on(event: never, listener: (...args: never[]) => void): unknown },
  ledger: Ledger,
): void;
