/** What a check has found out about one connection, worker or queue. */
export interface Finding {
  /** The key of its details in the result. */
  readonly name: string;
  /** Numbers and states, for dashboards and people. */
  readonly details: object;
  /** What is wrong and what to do about it, a sentence each; empty where all is well. */
  readonly faults: readonly string[];
}

/** The details of all by name, and what is wrong with any of them. */
export function summaryOf(findings: readonly Finding[]): {
  details: Record<string, object>;
  message: string | undefined;
} {
  const faults = findings.flatMap((finding) => finding.faults);
  return {
    details: Object.fromEntries(findings.map(({ name, details }) => [name, details])),
    message: faults.length === 0 ? undefined : faults.join(' '),
  };
}
