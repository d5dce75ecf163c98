/** The characters of the screen. A terminal without UTF-8 gets ASCII. */
export interface Glyphs {
  /** From no jobs to the most. */
  readonly bars: readonly string[];
  readonly selected: string;
  readonly live: string;
  readonly down: string;
  readonly paused: string;
  readonly up: string;
  /** A busy handler and a free one. */
  readonly full: string;
  readonly empty: string;
  /** The frame of a panel: corners, horizontal, vertical. */
  readonly frame: readonly [
    topLeft: string,
    topRight: string,
    bottomLeft: string,
    bottomRight: string,
    across: string,
    down: string,
  ];
}

const UNICODE: Glyphs = {
  // Without the full block, so that there is a gap between lines.
  bars: ['▁', '▁', '▂', '▃', '▄', '▅', '▆', '▇'],
  selected: '▸',
  live: '●',
  down: '▲',
  paused: '❚❚',
  up: '↑↓',
  full: '■',
  empty: '·',
  frame: ['╭', '╮', '╰', '╯', '─', '│'],
};

const ASCII: Glyphs = {
  bars: ['_', '.', ':', '-', '=', '+', '*', '#'],
  selected: '>',
  live: '*',
  down: '!',
  paused: '||',
  up: 'arrows',
  full: '#',
  empty: '.',
  frame: ['+', '+', '+', '+', '-', '|'],
};

/** By the locale, as other programs do it. */
export function glyphsFor(env: NodeJS.ProcessEnv): Glyphs {
  // An empty variable counts as none.
  const locale = ['LC_ALL', 'LC_CTYPE', 'LANG'].map((name) => env[name]).find((value) => value) ?? '';
  return /utf-?8/i.test(locale) || locale === '' ? UNICODE : ASCII;
}
