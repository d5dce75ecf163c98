/** What a log shows of a job. */
const FIELDS = [
  'id',
  'name',
  'queueName',
  'data',
  'opts',
  'attemptsMade',
  'progress',
  'returnvalue',
  'failedReason',
  'stacktrace',
  'timestamp',
  'delay',
  'priority',
  'processedOn',
  'finishedOn',
  'deduplicationId',
  'groupId',
] as const;

type JobJson = Readonly<Record<(typeof FIELDS)[number], unknown>>;

export function jsonOf(job: JobJson): object {
  return Object.fromEntries(FIELDS.map((field) => [field, job[field]]));
}
