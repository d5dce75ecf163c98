import { Box, render, useInput } from 'ink';
import type { Instance, Key as InkKey } from 'ink';
import { useEffect, useReducer, useRef } from 'react';
import type { ReactNode } from 'react';
import type { Controller, Key } from '../controller.js';
import type { Glyphs } from '../glyphs.js';
import { layoutOf, scrollTo } from '../layout.js';
import type { Monitor } from '../monitor.js';
import type { Screen } from '../screen.js';
import { Footer, Header } from './header.js';
import { GlyphContext } from './line.js';
import { HelpText, Letter, LetterList, WorkerList, firstOf } from './lists.js';
import { Failures, Panels } from './panels.js';
import { QueueTable } from './queues.js';

interface AppProps {
  readonly monitor: Monitor;
  readonly controller: Controller;
  readonly screen: Screen;
  readonly glyphs: Glyphs;
}

/** Draws on the screen until it is unmounted. */
export function mount(props: AppProps): Instance {
  return render(<App {...props} />, {
    stdout: props.screen as unknown as NodeJS.WriteStream,
    // Whole frames, each as it is: the screen paints what has changed.
    debug: true,
    exitOnCtrlC: false,
    patchConsole: false,
    isScreenReaderEnabled: false,
  });
}

function App({ monitor, controller, screen, glyphs }: AppProps): ReactNode {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    monitor.on('change', draw);
    controller.on('change', draw);
    screen.on('resize', draw);
    return () => {
      monitor.off('change', draw);
      controller.off('change', draw);
      screen.off('resize', draw);
    };
  }, [monitor, controller, screen]);
  useInput((input, key) => {
    for (const one of keysOf(input, key)) controller.press(one);
  });
  const { columns, rows } = screen;
  return (
    <GlyphContext.Provider value={glyphs}>
      <Box flexDirection="column" width={columns} height={rows} overflow="hidden">
        <Content monitor={monitor} controller={controller} columns={columns} rows={rows} />
      </Box>
    </GlyphContext.Provider>
  );
}

function Content(props: {
  monitor: Monitor;
  controller: Controller;
  columns: number;
  rows: number;
}): ReactNode {
  const { monitor, controller, columns, rows } = props;
  const { view, prompt, message, selected } = controller;
  const layout = layoutOf(columns, rows, monitor.queues.length);
  const footer = rows >= 3 || prompt !== undefined || message !== undefined;
  const height = rows - layout.header - (footer ? 1 : 0);
  return (
    <>
      <Header monitor={monitor} width={columns} lines={layout.header} />
      <Box flexDirection="column" height={height} flexShrink={0} overflow="hidden">
        {view.kind === 'queues' && (
          <Overview monitor={monitor} controller={controller} columns={columns} rows={rows} />
        )}
        {view.kind === 'help' && <HelpText width={columns} height={height} />}
        {view.kind === 'workers' && selected && (
          <WorkerList
            queue={selected.name}
            workers={monitor.workers}
            first={paged(controller, view.first, height - 3)}
            width={columns}
            height={height}
          />
        )}
        {view.kind === 'dead letters' && (
          <LetterList
            view={view}
            total={selected?.backlog?.deadLetters ?? view.letters?.length ?? 0}
            first={paged(controller, firstOf(view, height), height - 2)}
            width={columns}
            height={height}
          />
        )}
        {view.kind === 'dead letter' && (
          <Letter
            letter={view.letter}
            first={paged(controller, view.first, height - 2)}
            width={columns}
            height={height}
          />
        )}
      </Box>
      {footer && (
        <Footer
          view={view}
          prompt={prompt}
          message={message}
          isPaused={selected?.backlog?.paused === true}
          width={columns}
        />
      )}
    </>
  );
}

/** The queues, the selected one in detail, and what has failed. */
function Overview(props: {
  monitor: Monitor;
  controller: Controller;
  columns: number;
  rows: number;
}): ReactNode {
  const { monitor, controller, columns, rows } = props;
  const { queues } = monitor;
  const { selected, selectedIndex } = controller;
  const layout = layoutOf(columns, rows, queues.length);
  const first = useRef(0);
  first.current = scrollTo(selectedIndex, first.current, layout.queues, queues.length);
  paged(controller, 0, layout.queues);
  monitor.show(queues.slice(first.current, first.current + layout.queues).map(({ name }) => name));
  const total = queues.reduce((sum, { tail }) => sum + tail.failures.total, 0);
  return (
    <>
      <QueueTable
        queues={queues}
        selected={selectedIndex}
        first={first.current}
        rows={layout.queues}
        hasTitles={layout.hasTitles}
        width={columns}
      />
      {layout.panels > 0 && selected && <Panels queue={selected} workers={monitor.workers} layout={layout} />}
      {layout.failures > 0 && (
        <Failures
          failures={monitor.failures(layout.failures)}
          total={total}
          layout={layout}
          severalQueues={queues.length > 1}
        />
      )}
    </>
  );
}

/** Tells the controller how far a page reaches. Returns `first`. */
function paged(controller: Controller, first: number, rows: number): number {
  controller.pageRows = Math.max(1, rows);
  return first;
}

/** Keys that arrive in one chunk, such as from a paste, are keys of their own. */
function keysOf(input: string, key: InkKey): Key[] {
  const name = nameOf(input, key);
  if (name !== undefined) return [{ text: '', name }];
  return Array.from(input, (text) => ({ text, name: CONTROLS[text] }));
}

const CONTROLS: Readonly<Record<string, Key['name']>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x03': 'ctrl-c',
  '\x1a': 'ctrl-z',
  '\x7f': 'backspace',
};

function nameOf(input: string, key: InkKey): Key['name'] {
  if (key.ctrl) return input === 'c' ? 'ctrl-c' : input === 'z' ? 'ctrl-z' : undefined;
  if (key.upArrow) return 'up';
  if (key.downArrow) return 'down';
  if (key.pageUp) return 'pageUp';
  if (key.pageDown) return 'pageDown';
  if (key.home) return 'home';
  if (key.end) return 'end';
  if (key.return) return 'enter';
  if (key.escape) return 'escape';
  if (key.tab) return key.shift ? 'shiftTab' : 'tab';
  return key.backspace || key.delete ? 'backspace' : undefined;
}
