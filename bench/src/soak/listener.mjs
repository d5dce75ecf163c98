/* A process that only listens to the events of the queue, and counts them. */
import { QueueEvents } from 'nestjs-chasqui/engine';
import { leave, on, problem, showMemory, tell } from './member.mjs';
import { connectionTo, QUEUE } from './settings.mjs';

const FLUSH_MS = 500;

let heard = { completed: 0, dlq: 0 };
const flush = () => {
  tell('heard', heard);
  heard = { completed: 0, dlq: 0 };
};
const flushing = setInterval(flush, FLUSH_MS);
let events;

on('start', async ({ port }) => {
  events = new QueueEvents(QUEUE, { connection: connectionTo(port) });
  events.on('completed', () => (heard.completed += 1));
  events.on('dlq', () => (heard.dlq += 1));
  events.on('error', (error) => problem(`listener: ${error.stack}`));
  await events.waitUntilReady();
  tell('started');
});
on('close', async () => {
  await events.close();
  clearInterval(flushing);
  flush();
  leave();
});
showMemory(flush);
