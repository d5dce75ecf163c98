/** The result of a check for one connection, worker or queue. */
export interface Finding {
  /** The key of its details in the result. */
  readonly name: string;
  /** Numbers and states, for dashboards and people. */
  readonly details: object;
  /** One sentence for each fault, which says what is wrong and what to do. Empty if there is none. */
  readonly faults: readonly string[];
}

/** The details of all findings by name, and one message with all faults. */
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
