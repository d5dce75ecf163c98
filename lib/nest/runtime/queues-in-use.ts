import { participants, type Participant } from '../../engine/api/participants.js';
import type { Queue } from '../../engine/index.js';
import { consumerGroupOf } from '../../engine/config/options/group.js';
import type { ChasquiWorkers } from './chasqui.workers.js';
import type { QueueRegistration } from './queue.registration.js';
import type { QueueRegistry } from './queue.registry.js';

/** A queue that this process uses. */
export interface QueueInUse {
  /** The name that the code uses. Unique in this process. */
  readonly name: string;
  readonly queue: Queue;
  /** The name of its connection. */
  readonly connection: string;
  /** The consumer group of its workers. */
  readonly group: string;
}

/**
 * The queues of this process, without those that a test has replaced with a fake: the registered ones, and those of servers
 * and clients, which need no ChasquiModule.
 */
export function queuesInUse(
  registry: QueueRegistry | undefined,
  workers: ChasquiWorkers | undefined,
): readonly QueueInUse[] {
  const registered = (registry?.all() ?? []).flatMap((registration) => {
    const { name } = registration;
    const queue = registry?.find(name);
    const worker = workers?.get(name);
    const group = consumerGroupOf((worker ? worker.opts : registration.workerOptionsWith({})).group);
    return queue ? [{ name, queue, connection: connectionOf(registration), group }] : [];
  });
  const taken = new Set(registered.map(({ name }) => name));
  const others = namedParticipants(taken).map(({ name, participant }) => ({
    name,
    queue: participant.queue,
    connection: `of ${participant.kind} ${participant.queue.name}`,
    group: consumerGroupOf(participant.worker?.opts.group),
  }));
  return [...registered, ...others];
}

/** The queues of servers and clients, which no module registers, each under a unique name. */
export function namedParticipants(
  taken: Set<string>,
): readonly { readonly name: string; readonly participant: Participant }[] {
  return participants.all().map((participant) => {
    const { kind, queue } = participant;
    let name = queue.name;
    for (let i = 1; taken.has(name); i++) name = `${queue.name} (${kind}${i === 1 ? '' : ` ${i}`})`;
    taken.add(name);
    return { name, participant };
  });
}

/** The connection of a single queue has no name, so the name of the queue stands for it. */
function connectionOf({ name, connectionName, given }: QueueRegistration): string {
  return given.connection === undefined ? connectionName : `of queue ${name}`;
}
