import { KIND_NAMES, KINDS } from './kinds.mjs';

const UNKNOWN = 255;
const EXAMPLES = 5;
/** Jobs that may still be under way where the numbers of a run end. */
const SLACK = 10_000;

/**
 * Who was added, ran and ended: by number, in arrays made beforehand, so that keeping books costs the same all the
 * time.
 */
export class Ledger {
  #kinds;
  #runs;
  #completed;
  #died;
  #most = 0;
  #added = 0;
  #heard = { completed: 0, dlq: 0 };
  #repeated = 0;
  #problems = [];
  #problemCount = 0;

  /** @param {number} jobs about how many there will be */
  constructor(jobs) {
    const size = Math.ceil(jobs * 1.1) + SLACK;
    this.#kinds = new Uint8Array(size).fill(UNKNOWN);
    this.#runs = new Uint8Array(size);
    this.#completed = new Uint8Array(size);
    this.#died = new Uint8Array(size);
  }

  added(jobs) {
    for (let at = 0; at < jobs.length; at += 2) {
      this.#kinds[jobs[at]] = jobs[at + 1];
      this.#most = Math.max(this.#most, jobs[at] + 1);
    }
    this.#added += jobs.length / 2;
  }

  worked({ ran, completed, died, repeated }) {
    for (const n of ran) this.#runs[n] += 1;
    for (const n of completed) this.#completed[n] += 1;
    for (const n of died) this.#died[n] += 1;
    this.#repeated += repeated;
  }

  heard({ completed, dlq }) {
    this.#heard.completed += completed;
    this.#heard.dlq += dlq;
  }

  problem(text) {
    this.#problemCount += 1;
    if (this.#problems.length < EXAMPLES) this.#problems.push(text);
  }

  get addedSoFar() {
    return this.#added;
  }

  get problemsSoFar() {
    return this.#problemCount;
  }

  /** Whether all that was added has ended. */
  get settled() {
    for (let n = 0; n < this.#most; n += 1) {
      const kind = this.#kinds[n];
      if (kind === UNKNOWN || KINDS[KIND_NAMES[kind]].end === 'removed') continue;
      if (this.#completed[n] + this.#died[n] === 0) return false;
    }
    return true;
  }

  /**
   * @param {{ fired: number, specs: number, letters: number }} seen by the server's own account: slots fired, and dead
   *   letters, those dropped by the cap included
   */
  close({ fired, specs, letters }) {
    const counts = { added: this.#added, completed: 0, died: 0, removed: 0, lost: 0, extraRuns: 0 };
    const wrong = [];
    for (let n = 0; n < this.#most; n += 1) {
      if (this.#kinds[n] === UNKNOWN) continue;
      const name = KIND_NAMES[this.#kinds[n]];
      const { runs, end } = KINDS[name];
      const [ran, completed, died] = [this.#runs[n], this.#completed[n], this.#died[n]];
      counts.completed += completed;
      counts.died += died;
      if (end === 'removed') counts.removed += 1;
      const ends = { completed: Number(end === 'completed'), died: Number(end === 'died') };
      if (ran < runs || completed < ends.completed || died < ends.died) counts.lost += 1;
      counts.extraRuns += Math.max(0, ran - runs);
      if (ran !== runs || completed !== ends.completed || died !== ends.died)
        wrong.push(`job ${n} (${name}) ran ${ran} times, completed ${completed}, died ${died}`);
    }
    const { completed, dlq } = this.#heard;
    const checks = [
      check('jobs lost', counts.lost, 0),
      check('runs too many', counts.extraRuns, 0),
      check('dead letters, by Redis', letters, counts.died),
      check('completions heard by the listener', completed, counts.completed + this.#repeated),
      check('dead letters heard by the listener', dlq, counts.died),
      // A slot may fire between the last look at a spec and its removal.
      check('runs of repeatable specs', this.#repeated, fired, specs),
      check('errors', this.#problemCount, 0),
    ];
    return { counts, checks, examples: [...wrong.slice(0, EXAMPLES), ...this.#problems] };
  }
}

function check(title, seen, expected, slack = 0) {
  return { title, seen, expected, ok: seen >= expected && seen <= expected + slack };
}
