// Queues with workers that look like those of an application, for scripts/screenshots.mjs.
//   node scripts/screenshots/demo.mjs redis://127.0.0.1:6379
import { Queue, Worker } from '../../dist/engine/index.mjs';

const connection = { url: process.argv[2] };
const ERRORS = {
  'send-welcome': ['SMTP 550 mailbox unavailable', 'connect ECONNREFUSED 10.0.3.17:587'],
  thumbnail: ['Input buffer contains unsupported image format'],
  'render-pdf': ['Page crashed: out of memory', 'Template "invoice-v3" is missing the field vatId'],
  deliver: ['HTTP 503 Service Unavailable', 'Timeout after 5000 ms', 'HTTP 410 Gone'],
  upsert: ['index "products" is read-only'],
  monthly: ['relation "sales_2026_10" does not exist'],
};
/** perSecond: jobs that are added; failing: the part that fails; ms: how long a job runs. */
const QUEUES = [
  { name: 'image-resize', job: 'thumbnail', perSecond: 40, failing: 0.02, concurrency: 8, ms: 120 },
  { name: 'invoices', job: 'render-pdf', perSecond: 6, failing: 0.06, concurrency: 4, ms: 90 },
  { name: 'reports', job: 'monthly', perSecond: 0.5, failing: 0.3, concurrency: 1, ms: 900 },
  { name: 'search-index', job: 'upsert', perSecond: 300, failing: 0.0005, concurrency: 30, ms: 15 },
  { name: 'webhooks', job: 'deliver', perSecond: 55, failing: 0.03, concurrency: 6, ms: 230 },
  { name: 'welcome-mails', job: 'send-welcome', perSecond: 120, failing: 0.01, concurrency: 12, ms: 60 },
];

for (const { name, job, perSecond, failing, concurrency, ms } of QUEUES) {
  const queue = new Queue(name, { connection });
  for (const pod of ['pod-1', 'pod-2']) {
    const worker = new Worker(
      name,
      async () => {
        await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + Math.random())));
        const errors = ERRORS[job];
        if (Math.random() < failing) throw new Error(errors[Math.floor(Math.random() * errors.length)]);
      },
      { connection, concurrency, name: pod, retry: { initialBackoffMs: 400 }, maxAttempts: 2 },
    );
    worker.on('error', (error) => console.error(error.message));
  }
  let owed = 0;
  setInterval(() => {
    const wave = 1 + 0.45 * Math.sin(Date.now() / 7_000 + perSecond) + 0.3 * (Math.random() - 0.5);
    owed += (perSecond * wave) / 10;
    const count = Math.floor(owed);
    owed -= count;
    const jobs = Array.from({ length: count }, (_, i) => ({
      name: job,
      data: { to: 'maria@example.com', orderId: 80_000 + i },
      opts: Math.random() < 0.01 ? { delay: 60_000 } : {},
    }));
    if (count > 0) queue.addBulk(jobs).catch((error) => console.error(error.message));
  }, 100);
}
