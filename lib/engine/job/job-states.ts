import type { JobState } from './job-state.js';

/** The questions about one state, of anything that knows its state. */
export abstract class JobStates {
  abstract getState(): Promise<JobState>;

  /** Also true in a paused queue. */
  async isWaiting(): Promise<boolean> {
    return (await this.getState()) === 'waiting';
  }

  async isActive(): Promise<boolean> {
    return (await this.getState()) === 'active';
  }

  async isDelayed(): Promise<boolean> {
    return (await this.getState()) === 'delayed';
  }

  /** Whether the job is a dead letter. */
  async isFailed(): Promise<boolean> {
    return (await this.getState()) === 'failed';
  }

  /** On a queue without `trackJobs`: whether the result of the job is stored. */
  async isCompleted(): Promise<boolean> {
    return (await this.getState()) === 'completed';
  }

  /** False: no job has children. */
  async isWaitingChildren(): Promise<boolean> {
    return (await this.getState()) === 'waiting-children';
  }
}
