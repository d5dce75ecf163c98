// A process of the fault tests, under the orders of its parent: see child.ts. It runs the compiled package.
import { createProcessor, recordEvents } from './handlers.mjs';
import { hashOf, openLedger } from './ledger.mjs';

const {
  name,
  engine,
  connection,
  place,
  worker: workerOptions,
  queue: queueOptions,
} = JSON.parse(process.argv[2]);
const { Queue, Worker } = await import(engine);

const tell = (message) => {
  if (process.connected) process.send(message);
};

let queueName;
let ledger;
let queue;
let worker;
let processor;
let gate;

function move(to) {
  ledger?.close();
  ({ queueName } = to);
  ledger = openLedger(to.ledgerPath, name, (record) => tell({ record }));
  queue = new Queue(queueName, { connection, ...queueOptions });
  worker = undefined;
  ({ processor, gate } = createProcessor(ledger, (id) => add({ id, task: { do: 'finish' } })));
}
if (place) move(place);

async function add({ id, task, options }) {
  ledger.write('ATTEMPT', id, { hash: hashOf(task) });
  try {
    const job = await queue.add('task', task, { ...options, jobId: id });
    ledger.write('ACK', id, job.duplicate ? { detail: 'duplicate' } : {});
  } catch (error) {
    ledger.write(error.unknownOutcome ? 'UNKNOWN' : 'REJECT', id, { detail: error.message });
  }
}

const orders = {
  move: ({ to }) => move(to),
  async work({ ready }) {
    worker = new Worker(queueName, processor, { connection, ...workerOptions });
    recordEvents(worker, ledger);
    if (ready) await new Promise((resolve) => worker.once('ready', resolve));
  },
  add: ({ jobs }) => Promise.all(jobs.map(add)),
  /** Their ids are the engine's, so they are known only when the add has succeeded. */
  async 'add-plain'({ count }) {
    const task = { do: 'finish' };
    const jobs = await Promise.all(Array.from({ length: count }, () => queue.add('task', task)));
    for (const { id } of jobs) {
      ledger.write('ATTEMPT', id, { hash: hashOf(task) });
      ledger.write('ACK', id);
    }
  },
  /** Adds jobs with deduplication ids. Resolves with the ids of their jobs, and whether these were there before. */
  async 'add-once'({ jobs }) {
    const added = await Promise.all(jobs.map(({ task, options }) => queue.add('task', task, options)));
    added.forEach(({ id, duplicate }, index) => {
      if (duplicate) return;
      ledger.write('ATTEMPT', id, { hash: hashOf(jobs[index].task) });
      ledger.write('ACK', id);
    });
    return added.map(({ id, duplicate, deduplicationId }) => ({ id, duplicate, deduplicationId }));
  },
  release: () => gate.release(),
  replay: ({ limit }) => queue.replayDlq(limit),
  /** Closes everything and takes its hands off the parent: the process must now end by itself. */
  async close() {
    const begin = performance.now();
    await worker?.close();
    await queue.close();
    return performance.now() - begin;
  },
  leave() {
    ledger.close();
    process.disconnect();
  },
};

process.on('message', async ({ id, order, ...args }) => {
  try {
    tell({ id, value: await orders[order](args) });
  } catch (error) {
    tell({ id, error: String(error) });
  }
});
tell({ up: true });
