import type { Context } from '../frame/context.js';
import { exitCodeOf } from '../frame/interrupt.js';
import { Controller } from './controller.js';
import { glyphsFor } from './glyphs.js';
import type { Monitor } from './monitor.js';
import { Screen } from './screen.js';

/** Shows the queues on the whole screen, until the user quits or `rounds` are over. */
export async function watchLive(
  context: Context,
  monitor: Monitor,
  rounds: number,
): Promise<number | undefined> {
  setUpInk(context.out.colors.isColorSupported);
  // An ES module, with ink and react. Nothing else of the package loads them.
  const { mount } = await import('./ui/app.js');
  const screen = new Screen(process.stdout);
  const controller = new Controller(context, monitor);
  const quit = new AbortController();
  const signal = AbortSignal.any([context.signal, quit.signal]);
  controller.on('quit', () => {
    quit.abort();
  });
  // Before the first frame, so that a key that is pressed at once is not echoed onto it.
  process.stdin.setRawMode(true);
  screen.open();
  const app = mount({ monitor, controller, screen, glyphs: glyphsFor(process.env) });
  controller.on('suspend', () => {
    suspend(screen);
  });
  // The user interface ends by itself if drawing fails.
  const failed = app.waitUntilExit().finally(() => {
    quit.abort();
  });
  try {
    await monitor.run(signal, rounds);
  } finally {
    app.unmount();
    process.stdin.setRawMode(false);
    screen.close();
  }
  await failed;
  return exitCodeOf(context.signal);
}

/** Ink and the libraries below it read these when they are loaded. */
function setUpInk(hasColor: boolean): void {
  const { env } = process;
  env['FORCE_COLOR'] = hasColor ? '1' : '0';
  // The build of react that neither warns nor measures.
  env['NODE_ENV'] = 'production';
  // Here is a terminal, whatever this says: ink would draw nothing before the end.
  env['CI'] = 'false';
  // Ink would look for the developer tools of react.
  delete env['DEV'];
}

const SUSPEND_MS = 100;

/** Ctrl-Z: gives the terminal back until the shell continues the process. */
function suspend(screen: Screen): void {
  screen.close();
  process.stdin.setRawMode(false);
  process.kill(process.pid, 'SIGTSTP');
  // It fires when the process goes on, or soon, if there is no shell that could continue it.
  setTimeout(() => {
    process.stdin.setRawMode(true);
    screen.open();
  }, SUSPEND_MS);
}
