import { setTimeout as sleep } from 'node:timers/promises';

const SETTLE_MS = 2_000;

export default {
  name: 'idle',
  title: '20 idle queues with workers',
  rounds: 2,
  sizes: { full: { queues: 20, ms: 10_000 }, quick: { queues: 20, ms: 10_000 } },
  metrics: [
    { key: 'connections', limit: 22 },
    { key: 'commandsPerSecond', target: 1 },
  ],

  async open({ driver, queues, ms }) {
    const closing = [];
    for (let index = 0; index < queues; index += 1) {
      const queue = await driver.queue(`idle-${index}`);
      await queue.add('welcome', {});
      const worker = await driver.worker(`idle-${index}`, async () => undefined, { concurrency: 10 });
      worker.start();
      closing.push(worker, queue);
    }
    await sleep(SETTLE_MS);
    return {
      async run() {
        await sleep(ms);
        return {};
      },
      close: () => Promise.all(closing.map((one) => one.close())),
    };
  },

  fromServer: ({ connections, processed, seconds }) => ({
    connections,
    commandsPerSecond: processed / seconds,
  }),
};
