import type { Context } from '../frame/context.js';
import { printTable } from '../output/table.js';
import { grouped } from '../output/values.js';

export async function inspect(context: Context, [queue]: readonly [string?]): Promise<void> {
  const names = queue === undefined ? await context.queueNames() : [queue];
  const rows = [];
  for (const name of names) {
    const queue = await context.queue(name);
    rows.push({ name, ...(await queue.getBacklog()) });
  }
  context.out.document({ queues: rows });
  printTable(
    context.out,
    [
      { title: 'QUEUE', value: (row) => row.name, least: 8 },
      { title: 'WAITING', value: (row) => grouped(row.waiting), right: true },
      { title: 'ACTIVE', value: (row) => grouped(row.active), right: true, keep: 5 },
      { title: 'DELAYED', value: (row) => grouped(row.delayed), right: true, keep: 4 },
      { title: 'FAILED', value: (row) => grouped(row.deadLetters), right: true, keep: 6 },
    ],
    rows,
  );
}
