import { Injectable } from '@nestjs/common';
import { QueueEvents } from '../../engine/index.js';
import { QUEUE_EVENTS } from '../constants.js';
import type { SubscriptionPlan } from '../explorer/wiring.js';
import { ConnectionLog } from './connection.log.js';
import { ListenerBinder } from './listener.binder.js';
import { QueueRegistry } from './queue.registry.js';

/** The subscriptions to queue events, one for each queue that is listened to. */
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
    // An application's own emitter gets the events of all queues.
    const forwarded = this.queues
      .all()
      .filter(({ name, eventEmitter }) => eventEmitter !== undefined && !listened.has(name))
      .map(({ name }) => ({ queue: name, options: {}, listeners: [] }));
    // One that a test has put a fake in place of says nothing.
    this.#plans = [...plans, ...forwarded].filter(({ queue }) => isOpen(queue));
  }

  /** Resolves when no later event can be missed. */
  async start(): Promise<void> {
    await Promise.all(this.#plans.map((plan) => this.extend(plan) ?? this.subscribe(plan)));
  }

  async stop(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ events }) => events.close()));
  }

  /** Adds the listeners that are new to a subscription that is open; it would miss events if it were made anew. */
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
    // Settles when it is closed; what fails before it is ready, `waitUntilReady` reports.
    events.run().catch(() => undefined);
    await events.waitUntilReady();
  }
}
