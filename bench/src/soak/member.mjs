/*
 * What every process of a soak does alike: it is told what to do by its parent, shows its memory when asked, and ends
 * when the parent does.
 */

const handlers = new Map();
process.on('message', ({ type, ...message }) => handlers.get(type)?.(message));
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches all processes of the terminal; the parent says what is to be done then.
process.on('SIGINT', () => undefined);
process.on('unhandledRejection', (error) => {
  problem(`unhandled: ${error?.stack ?? error}`);
});
process.on('warning', (warning) => problem(`warning: ${warning.message}`));

export function on(type, handler) {
  handlers.set(type, handler);
}

export function tell(type, content = {}) {
  if (process.connected) process.send({ type, ...content });
}

export function problem(text) {
  tell('problem', { text });
}

/** @param {() => void} flush empties what the process only keeps for the books */
export function showMemory(flush) {
  on('sample', async () => {
    flush();
    await new Promise((resolve) => setImmediate(resolve));
    // What finalizers let go of in the first is collected in the second.
    globalThis.gc();
    await new Promise((resolve) => setImmediate(resolve));
    globalThis.gc();
    const { heapUsed, external, rss } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    const timers = resources.filter((kind) => kind === 'Timeout' || kind === 'Immediate').length;
    tell('sample', { heap: heapUsed, external, rss, handles: resources.length - timers, timers });
  });
}

export function leave() {
  tell('left');
  process.disconnect();
}
