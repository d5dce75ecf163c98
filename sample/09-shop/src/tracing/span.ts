/** A span, as one process tells it to the other. */
export interface Span {
  readonly process: string;
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly error: string | undefined;
}
