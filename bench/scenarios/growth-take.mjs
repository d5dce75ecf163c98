import { runScript } from '../../dist/redis/script-registry.js';
import { queueKeys } from '../../dist/redis/keys.js';
import { take } from '../../dist/redis/scripts/take.js';
import { fill, MEASURED } from '../src/jobs.mjs';

const WAITING = [1_000, 100_000, 1_000_000];
const BATCH = 50;
const JOBS = 900;
const PRIORITIES = 1_000;
const GROUPS = 1_000;
const WORKER = { group: 'take', consumerId: 'bench' };

const KINDS = {
  priorities: {
    title: 'jobs with a priority',
    opts: (index) => ({ priority: 1 + ((index * 7_919) % PRIORITIES) }),
  },
  groups: { title: 'jobs in 1,000 groups', opts: (index) => ({ group: { id: `tenant-${index % GROUPS}` } }) },
};

/** The call that fetches jobs of a gated queue, alone: what the server needs for it, by its own account. */
export default Object.entries(KINDS).flatMap(([kind, { title, opts }]) =>
  WAITING.map((waiting) => ({
    name: `growth-take/${kind}/${waiting}`,
    title: `fetching 50 of ${waiting.toLocaleString('en-US')} ${title}`,
    group: 'growth',
    costs: false,
    variants: ['ours'],
    sizes: { full: { jobs: JOBS }, quick: { jobs: JOBS } },
    metrics: [
      {
        key: 'takeUs',
        ...(kind === 'priorities' && { limit: 10 }),
        against: `growth-take/${kind}/${WAITING[0]}`,
      },
    ],

    prepare: (context) => fill(context.driver, { [MEASURED]: waiting }, opts),

    async open({ redis, jobs }) {
      const keys = queueKeys(MEASURED);
      await redis.connect();
      await redis.xgroup('CREATE', keys.stream, WORKER.group, '0', 'MKSTREAM');
      const runner = {
        run: (name, names, args, options) => runScript(redis, name, names, args, options),
      };
      const fetch = () => take(runner, keys, { ...WORKER, count: BATCH, started: undefined });
      await fetch();
      return {
        async run() {
          for (let taken = 0; taken < jobs; taken += BATCH) await fetch();
          return { jobs };
        },
      };
    },

    fromServer: ({ commands, jobs }) => ({ takeUs: commands.evalsha.usec / jobs }),
  })),
);
