/** The exit codes of `chasqui`. They are stable; docs/cli.md lists them. */
export const EXIT = {
  ok: 0,
  /** The operation failed. */
  error: 1,
  /** A wrong command, option or argument. Nothing was done. */
  usage: 2,
  /** The queue, the job, the schedule or the dead letter does not exist. */
  notFound: 3,
  /** Nothing was done: it was not confirmed, or the state of the job or of the queue does not allow it. */
  refused: 4,
  /** Redis could not be reached, or refused the connection or the command. */
  connection: 5,
  /** `doctor` found something to improve. */
  warnings: 10,
  /** `doctor` found a problem that loses jobs or stops them. */
  problems: 11,
  /** Ctrl-C. What was done stays done. */
  interrupted: 130,
} as const;
