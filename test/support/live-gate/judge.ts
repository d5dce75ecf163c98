import { compareStreamIds } from '../../../lib/redis/replies.js';
import { RANKS } from '../gate/steps.js';
import { fullest } from '../fullest.js';
import type { Book, LiveJob } from './book.js';
import { GROUPS } from './steps.js';

/** A rate limit that was in force. Times in ms of the monotonic clock. */
export interface RateLimit {
  /** '' = of the queue. */
  readonly group: string;
  readonly max: number;
  readonly duration: number;
  readonly from: number;
  to: number;
  /** Entries that were in flight when it came into force: they are not counted. */
  readonly before: ReadonlySet<string>;
}

/** No window of a rate limit had more starts than it may have. */
export function judgeRates({ calls, faults }: Book, limits: readonly RateLimit[]): void {
  for (const { group, max, duration, from, to, before } of limits) {
    const starts = calls.filter(
      ({ at, of, entry }) =>
        at >= from && at < to && !before.has(entry) && (group === '' || of.spec.group === group),
    );
    const most = fullest(
      starts.map(({ at }) => at),
      duration,
    );
    if (most > max)
      faults.push(`${most} starts${group && ` of ${group}`} in ${duration} ms, and ${max} may be`);
  }
}

const msOf = (entry: string): number => Number(entry.split('-')[0]);

/** A job that came from the room, in one of its deliveries. */
interface Delivery {
  readonly of: LiveJob;
  readonly entry: string;
  /** Later ones are attempts, or it was given back. */
  readonly isFirst: boolean;
}

/** In the order in which Redis made them. */
function deliveriesOf({ deliveries }: Book): Delivery[] {
  const seen = new Set<LiveJob>();
  return [...deliveries]
    .filter(([, { spec }]) => !isPlain(spec))
    .toSorted(([one], [other]) => compareStreamIds(one, other))
    .map(([entry, of]) => ({ of, entry, isFirst: seen.size < seen.add(of).size }));
}

const isPlain = ({ group, kind }: LiveJob['spec']): boolean => group === '' && kind === 'plain';

/** It went from its add to this delivery with nothing between, so it is known since when it has waited. */
const isSteady = ({ isFirst, of: { spec, isChanged } }: Delivery): boolean =>
  isFirst && spec.delay === 0 && !isChanged;

/** Whether the job of a delivery was known to wait in the room when the entry was delivered. */
const waited = (one: Delivery, entry: string): boolean =>
  isSteady(one) && one.of.addedAt < msOf(entry) && compareStreamIds(entry, one.entry) < 0;

/**
 * The order in which Redis has delivered jobs of the room: none before a better one that waited, and no group more than once while
 * another waited. Only entries of the room say when they were delivered. A worker whose process was stopped for long gives back what
 * it has fetched: that was the turn of the group.
 */
export function judgeOrder(book: Book): void {
  const deliveries = deliveriesOf(book);
  const isBetter = ({ of: one }: Delivery, other: Delivery): boolean => {
    if (other.of.spec.group !== '') return true;
    const [rank, otherRank] = [RANKS[one.spec.kind], RANKS[other.of.spec.kind]];
    if (rank !== otherRank) return rank < otherRank;
    // Of two with lifo, the one that came last; an attempt comes at a time that is not known.
    return rank === 0 ? isSteady(other) && one.number > other.of.number : one.number < other.of.number;
  };
  for (const one of deliveries) {
    const { of } = one;
    if (of.spec.group !== '' || !isSteady(one)) continue;
    const worse = deliveries.filter(
      (other) => waited(one, other.entry) && !other.of.isChanged && isBetter(one, other),
    );
    for (const other of worse)
      book.faults.push(`${other.of.number} was delivered before ${of.number}, which is better and waited`);
  }

  if (!book.isStrict) for (const group of GROUPS) judgeTurns(group);

  function judgeTurns(group: string): void {
    const grouped = deliveries.filter(({ of }) => of.spec.group !== '');
    const own = grouped.filter(({ of }) => of.spec.group === group);
    let passedBy = new Map<string, number>();
    for (const { entry, of } of grouped) {
      if (of.spec.group === group || !own.some((one) => waited(one, entry))) {
        passedBy = new Map();
        continue;
      }
      const times = (passedBy.get(of.spec.group) ?? 0) + 1;
      passedBy.set(of.spec.group, times);
      if (times > 1) book.faults.push(`${of.spec.group} started ${times} times while ${group} waited`);
    }
  }
}
