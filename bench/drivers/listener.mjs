/* A process that listens to the failures of a queue until its parent lets go of it. */
import { QueueEvents } from 'nestjs-chasqui/engine';

const [port, name] = process.argv.slice(2);
const events = new QueueEvents(name, { connection: { host: '127.0.0.1', port: Number(port) } });
events.on('failed', () => undefined);
await events.waitUntilReady();
process.on('disconnect', () => void events.close());
process.send('ready');
