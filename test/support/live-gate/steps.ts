import fc from 'fast-check';
import { KINDS } from '../gate/steps.js';
import type { Kind } from '../gate/steps.js';

/** Only of the first two, the limits and the pause are changed. */
export const GROUPS = ['a', 'b', 'c', 'd'] as const;
export const STEERED = ['a', 'b'] as const;
/** No limit: no run has so many jobs. */
export const UNLIMITED = 1_000;

/** A job, and what its handler does. */
export interface Spec {
  readonly kind: Kind;
  /** '' = none. */
  readonly group: string;
  readonly delay: number;
  readonly attempts: number;
  /** So many attempts fail. */
  readonly fails: number;
  /** How long the handler takes. */
  readonly ms: number;
  /** Its id comes from the caller, if it has no deduplication id. */
  readonly ownId: boolean;
  /** Its deduplication id; '' = none. */
  readonly dedup: string;
}

export type Step =
  | { readonly add: readonly Spec[] }
  | { readonly job: 'remove' | 'promote'; readonly nth: number }
  | { readonly change: Kind; readonly nth: number }
  | { readonly do: 'pause' | 'resume' | 'forget' }
  | { readonly concurrency: number }
  | { readonly max: number; readonly ms: number }
  | {
      readonly group: (typeof STEERED)[number];
      readonly set: 'pause' | 'resume' | 'concurrency' | 'max';
      readonly to: number;
    }
  | { readonly start: number }
  | { readonly close: number }
  | { readonly cut: number }
  | { readonly wait: number };

export interface Scenario {
  /** From before the first worker to the end. Else the queue becomes gated, and open again, while workers run. */
  readonly isAlwaysGated: boolean;
  readonly isStrict: boolean;
  /** The concurrency of each worker. */
  readonly workers: readonly number[];
  readonly steps: readonly Step[];
}

const rarely = <T>(arbitrary: fc.Arbitrary<T>, usual: T): fc.Arbitrary<T> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary });
const nth = fc.nat(99);
const kind = fc.constantFrom(...(Object.keys(KINDS) as Kind[]));

export const spec: fc.Arbitrary<Spec> = fc.record({
  kind,
  group: fc.constantFrom('', '', ...GROUPS),
  delay: rarely(fc.integer({ min: 1, max: 30 }), 0),
  attempts: fc.integer({ min: 1, max: 3 }),
  fails: rarely(fc.integer({ min: 1, max: 3 }), 0),
  ms: fc.nat(6),
  ownId: fc.boolean(),
  dedup: rarely(fc.constantFrom('x', 'y'), ''),
});

const ofJobs = [
  { weight: 10, arbitrary: fc.record({ add: fc.array(spec, { minLength: 1, maxLength: 12 }) }) },
  { weight: 2, arbitrary: fc.record({ job: fc.constantFrom('remove' as const, 'promote' as const), nth }) },
  { weight: 2, arbitrary: fc.record({ change: kind, nth }) },
  { weight: 1, arbitrary: fc.record({ start: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ wait: fc.nat(12) }) },
];

/** After these, workers may give back what they have fetched and not started. */
const disturbing = [
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'forget' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('resume' as const) }) },
  { weight: 2, arbitrary: fc.record({ concurrency: fc.nat(6) }) },
  { weight: 2, arbitrary: fc.record({ max: fc.nat(6), ms: fc.integer({ min: 5, max: 40 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      group: fc.constantFrom(...STEERED),
      set: fc.constantFrom('pause' as const, 'resume' as const, 'concurrency' as const, 'max' as const),
      to: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ close: nth }) },
  { weight: 2, arbitrary: fc.record({ cut: nth }) },
];

export const isDisturbing = (step: Step): boolean =>
  'do' in step || 'concurrency' in step || 'max' in step || 'set' in step || 'close' in step || 'cut' in step;

const size = { minLength: 5, maxLength: 40 };

export const scenario: fc.Arbitrary<Scenario> = fc.record({
  isAlwaysGated: fc.boolean(),
  isStrict: rarely(fc.constant(true), false),
  workers: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
  steps: fc.oneof(
    fc.array<Step>(fc.oneof(...ofJobs), size),
    fc.array<Step>(fc.oneof(...ofJobs, ...disturbing), size),
  ),
});
