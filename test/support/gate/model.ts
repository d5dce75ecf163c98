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
  /** Of a strict group: it waits for its retry, and no other job of the group starts. */
  holds: boolean;
  /** Its group has waited for its retry: it is the next of it. */
  isNext: boolean;
}

export interface ModelGroup {
  isPaused: boolean;
  concurrency: number;
  max: number;
  starts: number;
  /** Starts that are kept for its jobs of dead workers. */
  kept: number;
  /** How many jobs of each other group have started since this group could start one. */
  passedBy: Map<string, number>;
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
  /** Starts that are kept for jobs of dead workers. */
  kept = 0;
  groupConcurrency = Infinity;
  readonly groups = new Map<string, ModelGroup>();
  #seq = 0;

  /** @param isStrict groups run one job at a time, and wait for its retry */
  constructor(public isStrict: boolean) {}

  in(state: ModelJob['state']): ModelJob[] {
    return this.jobs.filter((job) => job.state === state);
  }

  group(id: string): ModelGroup {
    const known = this.groups.get(id);
    const none = {
      isPaused: false,
      concurrency: 0,
      max: Infinity,
      starts: 0,
      kept: 0,
      passedBy: new Map<string, number>(),
    };
    if (!known) this.groups.set(id, none);
    return known ?? none;
  }

  add(job: Pick<ModelJob, 'data' | 'group' | 'rank' | 'state'>): void {
    this.jobs.push({ ...job, seq: (this.#seq += 1), by: '', holds: false, isNext: false });
  }

  /** The job comes to wait: behind all others of its rank; if its group has waited for it, before them; or where it was. */
  wait(job: ModelJob, isBack = false): void {
    const isNext = isBack ? job.isNext : job.holds;
    const seq = isBack ? job.seq : (this.#seq += 1);
    Object.assign(job, { state: 'waiting', by: '', holds: false, isNext, seq });
  }

  delay(job: ModelJob, isRetry = false): void {
    Object.assign(job, {
      state: 'delayed',
      holds: isRetry && this.isStrict && job.group !== '',
      isNext: false,
    });
  }

  end(job: ModelJob): void {
    this.jobs = this.jobs.filter((one) => one !== job);
  }

  /** The jobs of a group that wait, the next first; '' = the jobs without a group. */
  line(group = ''): ModelJob[] {
    const rank = (job: ModelJob): number => (job.isNext ? 0 : job.rank);
    return this.in('waiting')
      .filter((job) => job.group === group)
      .toSorted((a, b) => rank(a) - rank(b) || (rank(a) === 0 ? b.seq - a.seq : a.seq - b.seq));
  }

  /** How many jobs may start now. */
  get free(): number {
    if (this.isPaused || this.isLimited) return 0;
    return Math.max(
      0,
      Math.min(this.concurrency - this.in('active').length, this.max - this.starts - this.kept),
    );
  }

  /** In use: jobs in flight, and those that hold the group. */
  slots(group: string): number {
    return this.jobs.filter((job) => job.group === group && (job.state === 'active' || job.holds)).length;
  }

  /** The groups that could start a job if the queue had room. */
  ready(): string[] {
    return [...this.groups.keys()].filter((id) => {
      const { isPaused, concurrency, max, starts, kept } = this.group(id);
      const most = this.isStrict ? 1 : concurrency || this.groupConcurrency;
      return !isPaused && this.slots(id) < most && starts + kept < max && this.line(id).length > 0;
    });
  }

  start(job: ModelJob, by: string): void {
    Object.assign(job, { state: 'active', by, holds: false });
    this.count(job);
    if (job.group === '') return;
    for (const id of this.ready()) {
      const { passedBy } = this.group(id);
      if (id !== job.group) passedBy.set(job.group, (passedBy.get(job.group) ?? 0) + 1);
    }
    this.group(job.group).passedBy.clear();
  }

  /** Jobs of dead workers start again, of these in their order, `most` at most. Returns them. */
  reclaim(orphans: readonly ModelJob[], most: number, by: string): ModelJob[] {
    const tokens = this.isLimited ? 0 : this.max - this.starts;
    const got: ModelJob[] = [];
    let left = 0;
    const leftIn = new Map<string, number>();
    for (const job of orphans) {
      if (got.length + left >= most) break;
      const { max, starts } = this.group(job.group);
      if (got.length >= tokens) {
        left += 1;
        continue;
      }
      const ofGroup = got.filter(({ group }) => group === job.group).length;
      const isLimited = job.group !== '' && max < Infinity;
      if (isLimited) leftIn.set(job.group, leftIn.get(job.group) ?? 0);
      if (isLimited && starts + ofGroup >= max) leftIn.set(job.group, (leftIn.get(job.group) ?? 0) + 1);
      else got.push(job);
    }
    for (const job of got) {
      job.by = by;
      this.count(job);
    }
    if (this.max < Infinity) this.kept = left;
    if (leftIn.size > 0) for (const [id, group] of this.groups) group.kept = leftIn.get(id) ?? 0;
    return got;
  }

  count({ group }: ModelJob): void {
    if (this.max < Infinity) this.starts += 1;
    if (group !== '' && this.group(group).max < Infinity) this.group(group).starts += 1;
  }

  /** A group that cannot start a job is not passed by. */
  settle(): void {
    const ready = new Set(this.ready());
    for (const [id, { passedBy }] of this.groups) if (!ready.has(id)) passedBy.clear();
  }
}
