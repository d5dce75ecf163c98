import { Box } from 'ink';
import type { ReactNode } from 'react';
import { printable } from '../../../engine/base/printable.js';
import { grouped, span } from '../../output/values.js';
import type { Message, Prompt, View } from '../controller.js';
import type { CountName } from '../../../engine/admin/watch/rate-history.js';
import type { Monitor, QueueView } from '../monitor.js';
import { perSecond } from '../text.js';
import { Ends, Line, useGlyphs, widthOf } from './line.js';
import type { Span } from './line.js';
import { clock } from './panels.js';

/** Where Redis is, whether it answers, and the totals of all queues. */
export function Header({
  monitor,
  width,
  lines,
}: {
  monitor: Monitor;
  width: number;
  lines: number;
}): ReactNode {
  const { live, down } = useGlyphs();
  const { outage } = monitor;
  const where = [monitor.address, monitor.serverName].filter((part) => part !== undefined).join('  ');
  const state: Span = outage
    ? { text: `${down} no connection`, color: 'red', bold: true }
    : { text: `${live} live`, color: 'green' };
  const first: Span[] = [
    { text: 'chasqui', bold: true, color: 'magenta' },
    { text: `  ${printable(where)}` },
  ];
  const last: Span[] = [state, { text: `  ${clock(Date.now())}` }];
  // The state matters more than the address.
  const room = width - widthOf(last) - 1;
  const fitting =
    widthOf(first) <= room ? first : widthOf(first.slice(0, 1)) <= room ? first.slice(0, 1) : [];
  return (
    <Box flexDirection="column" flexShrink={0}>
      {lines >= 1 && <Ends left={fitting} right={last} width={width} />}
      {lines >= 2 && <Line spans={outage ? outageSpans(outage) : totals(monitor.queues)} width={width} />}
    </Box>
  );
}

function outageSpans({ ms, reason }: { ms: number; reason: string }): Span[] {
  return [
    { text: `Redis has not answered for ${span(ms)}: `, color: 'red' },
    { text: `${printable(reason)}. Trying again.`, color: 'red' },
  ];
}

function totals(queues: readonly QueueView[]): Span[] {
  const sum = (of: 'waiting' | 'active' | 'delayed' | 'deadLetters'): number =>
    queues.reduce((total, { backlog }) => total + (backlog?.[of] ?? 0), 0);
  const rate = (name: CountName): string =>
    perSecond(queues.reduce((total, { tail }) => total + tail.rates.perSecond(name), 0));
  const paused = queues.filter(({ backlog }) => backlog?.paused).length;
  const dead = sum('deadLetters');
  return [
    { text: queues.length === 1 ? '1 queue' : `${grouped(queues.length)} queues` },
    ...(paused > 0 ? [{ text: ` (${grouped(paused)} paused)`, color: 'yellow' as const }] : []),
    { text: ` · ${grouped(sum('waiting'))} waiting · ${grouped(sum('active'))} active` },
    { text: ` · ${grouped(sum('delayed'))} delayed` },
    { text: ' · ' },
    { text: `${grouped(dead)} dead`, ...(dead > 0 && { color: 'red' as const }) },
    { text: ` · ${rate('completed')}/s done` },
  ];
}

/** On a narrow screen, those with the greatest rank are left out first. */
type Hint = readonly [key: string, what: string, rank: number];
const HINTS: Readonly<Record<View['kind'], readonly Hint[]>> = {
  queues: [
    ['arrows', 'queue', 7],
    ['p', 'pause', 3],
    ['d', 'dead letters', 4],
    ['r', 'replay', 5],
    ['w', 'workers', 6],
    ['?', 'help', 2],
    ['q', 'quit', 1],
  ],
  workers: [
    ['arrows', 'scroll', 3],
    ['p', 'pause', 4],
    ['Esc', 'back', 1],
    ['q', 'quit', 2],
  ],
  'dead letters': [
    ['arrows', 'select', 5],
    ['Enter', 'open', 3],
    ['r', 'replay this', 2],
    ['R', 'replay many', 6],
    ['Esc', 'back', 1],
    ['q', 'quit', 4],
  ],
  'dead letter': [
    ['arrows', 'scroll', 3],
    ['r', 'replay', 2],
    ['Esc', 'back', 1],
    ['q', 'quit', 4],
  ],
  help: [['any key', 'back', 1]],
};

/** A question, what came of the last key, or the keys. */
export function Footer(props: {
  view: View;
  prompt: Prompt | undefined;
  message: Message | undefined;
  isPaused: boolean;
  width: number;
}): ReactNode {
  const { view, prompt, message, width } = props;
  const { up } = useGlyphs();
  if (prompt) {
    const spans: Span[] = [{ text: `${prompt.question} `, color: 'yellow', bold: true }];
    if (prompt.typed !== undefined) spans.push({ text: `${prompt.typed}_`, bold: true });
    return <Line spans={spans} width={width} />;
  }
  if (message) {
    const color = message.tone === 'good' ? 'green' : message.tone === 'bad' ? 'red' : undefined;
    return <Line spans={[{ text: message.text, color, bold: true }]} width={width} />;
  }
  const hints = HINTS[view.kind].map(([key, what, rank]) => {
    const label = key === 'p' && props.isPaused ? 'resume' : what;
    const shown = key === 'arrows' ? up : key;
    const spans: Span[] = [{ text: shown, bold: true, color: 'cyan' }, { text: ` ${label}   ` }];
    return { spans, rank };
  });
  const fits = (rank: number): boolean =>
    widthOf(hints.filter((hint) => hint.rank <= rank).flatMap(({ spans }) => spans)) - 3 <= width;
  const shown = hints.filter(({ rank }) => fits(rank));
  return <Line spans={shown.flatMap(({ spans }) => spans)} width={width} />;
}
