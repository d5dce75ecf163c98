import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Queue, ShutdownError } from '../../engine/index.js';
import { DuplicateQueueError } from '../errors.js';
import { importersOf } from '../importers.js';
import { getQueueToken } from '../tokens.js';
import { ConnectionLog } from './connection.log.js';
import type { QueueRegistration } from './queue.registration.js';

/** The queues of one application. A queue that several modules register is one queue. */
@Injectable()
export class QueueRegistry {
  readonly #registrations = new Map<string, QueueRegistration>();
  readonly #queues = new Map<string, Queue>();
  #closed = false;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly connections: ConnectionLog,
  ) {}

  /**
   * Returns the registration that applies: the first one with this name. The others must have the same options.
   * @throws DuplicateQueueError
   */
  register(registration: QueueRegistration): QueueRegistration {
    const { name } = registration;
    const known = this.#registrations.get(name);
    if (known) {
      const differences = differencesOf(known, registration);
      if (differences.length === 0) return known;
      throw new DuplicateQueueError(name, this.modulesOf(name), `they differ in ${differences.join(', ')}`);
    }
    const alias = this.all().find((other) => isSameInRedis(other, registration));
    if (alias) {
      throw new DuplicateQueueError(
        registration.queueName,
        [...this.modulesOf(alias.name), ...this.modulesOf(name)],
        `under the names "${alias.name}" and "${name}"`,
      );
    }
    this.#registrations.set(name, registration);
    return registration;
  }

  /**
   * Returns the queue itself. It connects when it is first used, or checked at boot. If the queue was closed, returns a new
   * one.
   * @throws ShutdownError (CMQ-005) after the application has stopped
   */
  open({ name, queueName, queueOptions }: QueueRegistration): Queue {
    let queue = this.#queues.get(name);
    if (!queue || queue.isClosed) {
      if (this.#closed)
        throw new ShutdownError(`The application has stopped, so queue "${name}" cannot be opened.`);
      queue = new Queue(queueName, queueOptions);
      this.connections.watch(queue, `Queue "${name}"`);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Closes all queues. After that, no queue can be opened. */
  close(): readonly Promise<void>[] {
    this.#closed = true;
    return this.opened().map((queue) => queue.close());
  }

  get(name: string): QueueRegistration | undefined {
    return this.#registrations.get(name);
  }

  /** The queue, if it is in use. Undefined for a queue that a test has replaced with a fake. */
  find(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** Whether this process works on a queue. A queue that a test has replaced with a fake has no worker. */
  worksOn(name: string): boolean {
    return this.#queues.has(name) && this.#registrations.get(name)?.works === true;
  }

  all(): readonly QueueRegistration[] {
    return [...this.#registrations.values()];
  }

  /** The queues in use, without those that a test has replaced with a fake. */
  opened(): readonly Queue[] {
    return [...this.#queues.values()];
  }

  /** The modules that import the registration of a queue. */
  modulesOf(name: string): readonly string[] {
    return importersOf(getQueueToken(name), this.modules);
  }
}

function isSameInRedis(one: QueueRegistration, other: QueueRegistration): boolean {
  return one.queueName === other.queueName && one.queueOptions.connection === other.queueOptions.connection;
}

/** The names of the options that differ. It leaves out the values, which may contain a password. */
function differencesOf(one: QueueRegistration, other: QueueRegistration): readonly string[] {
  const a: Record<string, unknown> = { ...one.given, connectionName: one.connectionName };
  const b: Record<string, unknown> = { ...other.given, connectionName: other.connectionName };
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !isSame(a[key], b[key]));
}

/** A client that the user passes in is compared by identity, because its state is not an option. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || (!isInstance(a) && !isInstance(b) && isDeepStrictEqual(a, b));
}

function isInstance(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null;
}
