import { createRequire } from 'node:module';
import { Queue, Worker } from 'groupmq';
import { Redis } from 'ioredis';

const { version } = createRequire(import.meta.url)('groupmq/package.json');

/**
 * GroupMQ behind the interface of a driver, as far as scenarios with groups need it. It always runs one job of a group at
 * a time, and it removes completed jobs.
 *
 * @param {{ port: number }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port }) {
  // A queue closes its connection with itself.
  const queueOf = (name) => {
    const redis = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null });
    return new Queue({ redis, namespace: name });
  };

  return {
    version,

    async queue(name) {
      const queue = queueOf(name);
      const add = (_name, data, { group }) => queue.add({ groupId: group.id, data });
      return {
        name,
        add,
        // It has no call that adds several jobs.
        addBulk: (jobs) => Promise.all(jobs.map((job) => add(job.name, job.data, job.opts))),
        close: () => queue.close(),
      };
    },

    async worker(name, handler, { concurrency }) {
      const queue = queueOf(name);
      const worker = new Worker({ queue, handler, concurrency, onError: fail });
      worker.on('error', fail);
      return {
        start: () => void worker.run().catch(fail),
        async close() {
          await worker.close();
          await queue.close();
        },
      };
    },

    async unfinished(admin, name) {
      const key = (suffix) => `groupmq:${name}:${suffix}`;
      const [groups, running] = await Promise.all([
        admin.scard(key('groups')),
        admin.zcard(key('processing')),
      ]);
      return groups + running;
    },

    async close() {},
  };
}

function fail(error) {
  throw error;
}
