/** A job as the model has it. `rank`: 0 = lifo, 1 = no priority, else the priority plus 1. */
export interface ModelJob {
  readonly data: number;
  readonly group: string;
  rank: number;
  /** The order in which jobs of one rank came to wait. */
  seq: number;
  state: 'waiting' | 'delayed' | 'active' | 'dead';
  /** The worker that has it. */
  by: string;
}

/** What the gate is: which job starts next, and how many may. */
export class GateModel {
  jobs: ModelJob[] = [];
  isPaused = false;
  isLimited = false;
  concurrency = Infinity;
  max = Infinity;
  /** In the window of the rate limit, which is longer than a run of the model. */
  starts = 0;
  #seq = 0;

  in(state: ModelJob['state']): ModelJob[] {
    return this.jobs.filter((job) => job.state === state);
  }

  add(job: Omit<ModelJob, 'seq' | 'by'>): ModelJob {
    const added = { ...job, seq: (this.#seq += 1), by: '' };
    this.jobs.push(added);
    return added;
  }

  /** The job comes to wait: behind all others of its rank, or where it was. */
  wait(job: ModelJob, isBack = false): void {
    Object.assign(job, { state: 'waiting', by: '', seq: isBack ? job.seq : (this.#seq += 1) });
  }

  end(job: ModelJob): void {
    this.jobs = this.jobs.filter((one) => one !== job);
  }

  /** The jobs that wait, the next first; those of a group are not in the order in which groups take turns. */
  line(): ModelJob[] {
    return this.in('waiting').toSorted(
      (a, b) =>
        Number(a.group !== '') - Number(b.group !== '') ||
        a.rank - b.rank ||
        (a.rank === 0 ? b.seq - a.seq : a.seq - b.seq),
    );
  }

  /** How many jobs may start now. */
  get free(): number {
    if (this.isPaused || this.isLimited) return 0;
    return Math.max(0, Math.min(this.concurrency - this.in('active').length, this.max - this.starts));
  }

  /** These jobs start, in this order. */
  start(jobs: readonly ModelJob[], by: string): void {
    for (const job of jobs) Object.assign(job, { state: 'active', by });
    this.count(jobs.length);
  }

  count(starts: number): void {
    if (this.max < Infinity) this.starts += starts;
  }
}
