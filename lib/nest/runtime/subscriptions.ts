import { Injectable } from '@nestjs/common';
import { QueueEvents } from '../../engine/index.js';
import { QUEUE_EVENTS } from '../constants.js';
import type { SubscriptionPlan } from '../explorer/wiring.js';
import { ConnectionLog } from './connection.log.js';
import { ListenerBinder } from './listener.binder.js';
import { QueueRegistry } from './queue.registry.js';

/** The subscriptions to queue events, one for each queue that has listeners. */
@Injectable()
export class Subscriptions {
  readonly #open = new Map<string, { readonly plan: SubscriptionPlan; readonly events: QueueEvents }>();
  #plans: readonly SubscriptionPlan[] = [];

  constructor(
    private readonly queues: QueueRegistry,
    private readonly listeners: ListenerBinder,
    private readonly connections: ConnectionLog,
  ) {}

  prepare(plans: readonly SubscriptionPlan[]): void {
    const isOpen = (queue: string): boolean => this.queues.find(queue) !== undefined;
    const listened = new Set(plans.map(({ queue }) => queue));
    // The emitter of the application gets the events of all queues.
    const forwarded = this.queues
      .all()
      .filter(({ name, eventEmitter }) => eventEmitter !== undefined && !listened.has(name))
      .map(({ name }) => ({ queue: name, options: {}, listeners: [] }));
    // A queue that a test has replaced with a fake has no events.
    this.#plans = [...plans, ...forwarded].filter(({ queue }) => isOpen(queue));
  }

  /** When it resolves, no later event is missed. */
  async start(): Promise<void> {
    await Promise.all(this.#plans.map((plan) => this.extend(plan) ?? this.subscribe(plan)));
  }

  async stop(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ events }) => events.close()));
  }

  /** Adds the new listeners to an open subscription. A new subscription would miss events. */
  private extend(plan: SubscriptionPlan): Promise<void> | undefined {
    const { queue, listeners } = plan;
    const open = this.#open.get(queue);
    if (!open) return undefined;
    const known = new Set(open.plan.listeners.map(({ host }) => host.wrapper));
    this.listeners.bind(
      open.events,
      listeners.filter(({ host }) => !known.has(host.wrapper)),
    );
    this.#open.set(queue, { ...open, plan });
    return open.events.waitUntilReady();
  }

  private async subscribe(plan: SubscriptionPlan): Promise<void> {
    const { queue, options, listeners } = plan;
    const registration = this.queues.get(queue);
    if (!registration) return;
    const events = new QueueEvents(registration.queueName, registration.subscriptionOptionsWith(options));
    this.#open.set(queue, { plan, events });
    this.connections.watch(events, `Events of queue "${queue}"`);
    this.listeners.bind(events, listeners);
    const { eventEmitter } = registration;
    if (eventEmitter !== undefined) {
      this.listeners.forward(events, QUEUE_EVENTS, `chasqui.${queue}.queue`, eventEmitter);
    }
    // `run` settles when the subscription closes. `waitUntilReady` reports an error before that.
    events.run().catch(() => undefined);
    await events.waitUntilReady();
  }
}
