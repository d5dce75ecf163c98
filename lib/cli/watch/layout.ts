/** How many rows and columns each part of the screen has. 0: the part is not shown. */
export interface Layout {
  readonly columns: number;
  readonly rows: number;
  /** Lines at the top: where Redis is, and the totals. */
  readonly header: number;
  /** Queues that are visible at once, without the line of titles. */
  readonly queues: number;
  readonly hasTitles: boolean;
  /** Lines of the panels of the selected queue, with their borders. */
  readonly panels: number;
  /** Columns of the panel with the rates. */
  readonly ratesWidth: number;
  /** Columns of the panel with the workers; 0 on a narrow screen. */
  readonly workersWidth: number;
  /** Lines of the failures, with the border. */
  readonly failures: number;
}

/** The rates have four lines, and two of border. */
const PANEL_ROWS = 6;
/** Below this width there is no room for two panels side by side. */
const TWO_PANELS = 84;
const LEAST_FAILURES = 4;

/** Divides the screen. The more important a part is, the smaller the screen on which it is still shown. */
export function layoutOf(columns: number, rows: number, queues: number): Layout {
  const header = rows >= 12 ? 2 : rows >= 4 ? 1 : 0;
  const footer = rows >= 3 ? 1 : 0;
  let rest = rows - header - footer;
  const hasTitles = rest >= 3;
  if (hasTitles) rest -= 1;
  const hasPanels = rest >= PANEL_ROWS + Math.min(queues, 2);
  const panels = hasPanels ? PANEL_ROWS : 0;
  rest -= panels;
  const hasFailures = rest >= LEAST_FAILURES + Math.min(queues, 2);
  // The queues get up to half of what is left, and more if there are few failures to show.
  const forFailures = hasFailures ? Math.max(LEAST_FAILURES, Math.ceil(rest * 0.4)) : 0;
  const shown = Math.max(1, Math.min(queues, rest - forFailures));
  const failures = hasFailures ? rest - shown : 0;
  const isWide = columns >= TWO_PANELS;
  const ratesWidth = isWide ? Math.floor(columns * 0.55) : columns;
  return {
    columns,
    rows,
    header,
    hasTitles,
    queues: shown,
    panels,
    ratesWidth,
    workersWidth: isWide ? columns - ratesWidth : 0,
    failures,
  };
}

/** The first visible row of a list, so that the selected one is visible. */
export function scrollTo(selected: number, first: number, visible: number, count: number): number {
  const last = Math.max(0, count - visible);
  if (selected < first) return Math.min(selected, last);
  if (selected >= first + visible) return Math.min(selected - visible + 1, last);
  return Math.min(Math.max(0, first), last);
}
