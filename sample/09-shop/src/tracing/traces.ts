import type { Span } from './span.js';

/** The newest traces are enough. */
const MOST = 500;

/** The traces of all processes. */
export class Traces {
  readonly #traces = new Map<string, Span[]>();

  add(spans: readonly Span[]): void {
    for (const span of spans) {
      const trace = this.#traces.get(span.traceId) ?? [];
      this.#traces.set(span.traceId, [...trace, span]);
    }
    for (const [id] of this.#traces) if (this.#traces.size > MOST) this.#traces.delete(id);
  }

  /** The trace of an order that says most: a request, and the most attempts. */
  best(): readonly Span[] | undefined {
    const complete = [...this.#traces.values()].filter((spans) => spans.some(({ parentId }) => !parentId));
    return complete.sort((a, b) => b.length - a.length)[0];
  }
}

/** A trace as a tree: one line per span, with its process, how long after the first one it began, and how long it took. */
export function toLines(spans: readonly Span[]): readonly string[] {
  const sorted = [...spans].sort((a, b) => a.startMs - b.startMs);
  const begun = sorted[0]?.startMs ?? 0;
  const below = (parentId: string | undefined, depth: number): string[] =>
    sorted
      .filter((span) => span.parentId === parentId)
      .flatMap((span) => [lineOf(span, depth, begun), ...below(span.id, depth + 1)]);
  return below(undefined, 0);
}

function lineOf({ process, name, startMs, durationMs, error }: Span, depth: number, begun: number): string {
  const what = `${'  '.repeat(depth)}${name}`.padEnd(44);
  const when = `after ${Math.round(startMs - begun)} ms, took ${Math.round(durationMs)} ms`;
  return `${process.padEnd(6)} | ${what} ${when}${error === undefined ? '' : `, failed: ${error}`}`;
}
