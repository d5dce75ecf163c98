/** How bad a finding is. `error`: jobs are lost, or do not run. `warning`: they may be, some day. */
export type Severity = 'ok' | 'info' | 'warning' | 'error';

/** What a check of `diagnose` found. */
export interface Finding {
  /** The name of the check; docs/cli.md lists them. */
  readonly check: string;
  readonly severity: Severity;
  /** What was checked: `server 127.0.0.1:6379`, or `queue mail`. */
  readonly subject: string;
  /** What is so, in one sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** The findings of the checks on one subject. */
export class Findings {
  readonly all: Finding[] = [];

  constructor(readonly subject: string) {}

  ok(check: string, message: string): void {
    this.all.push({ check, severity: 'ok', subject: this.subject, message });
  }

  info(check: string, message: string, remedy?: string): void {
    this.#add('info', check, message, remedy);
  }

  warning(check: string, message: string, remedy: string): void {
    this.#add('warning', check, message, remedy);
  }

  error(check: string, message: string, remedy: string): void {
    this.#add('error', check, message, remedy);
  }

  /** Runs a check. If Redis refuses what it needs, the finding says so. Other errors, such as an outage, are thrown. */
  async attempt(check: string, run: () => Promise<void> | void): Promise<void> {
    try {
      await run();
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      this.info(
        check,
        `It could not be checked: ${refusal}`,
        'Run doctor as a user that may, to have this checked.',
      );
    }
  }

  #add(severity: Severity, check: string, message: string, remedy?: string): void {
    this.all.push({
      check,
      severity,
      subject: this.subject,
      message,
      ...(remedy !== undefined && { remedy }),
    });
  }
}

/** What Redis says to a command that the user may not call, or that the server does not have. Undefined for other errors. */
export function refusalOf(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : '';
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : message;
  return /NOPERM|unknown command|unknown subcommand|not allowed|disabled/i.test(`${message} ${cause}`)
    ? cause.replace(/\s+/g, ' ').slice(0, 160)
    : undefined;
}

const ORDER: readonly Severity[] = ['ok', 'info', 'warning', 'error'];

/** The worst of some findings; `ok` if there are none. */
export function worstOf(findings: readonly Finding[]): Severity {
  return ORDER[Math.max(0, ...findings.map(({ severity }) => ORDER.indexOf(severity)))] ?? 'ok';
}
