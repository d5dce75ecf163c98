import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Queue, ShutdownError } from '../../engine/index.js';
import { DuplicateQueueError } from '../errors.js';
import { importersOf } from '../importers.js';
import { getQueueToken } from '../tokens.js';
import { ConnectionLog } from './connection.log.js';
import type { QueueRegistration } from './queue.registration.js';

/** The queues of one application. Registered by several modules, a queue is still one. */
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
   * The registration that holds: the first one, if the others say the same.
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
   * The queue itself; nothing connects before it is used, or checked at boot. In place of one that somebody has closed
   * comes another.
   * @throws ShutdownError (CMQ-005) once the application has ended
   */
  open({ name, queueName, queueOptions }: QueueRegistration): Queue {
    let queue = this.#queues.get(name);
    if (!queue || queue.isClosed) {
      if (this.#closed) throw new ShutdownError(`The application has ended: queue "${name}" is not opened.`);
      queue = new Queue(queueName, queueOptions);
      this.connections.watch(queue, `Queue "${name}"`);
      this.#queues.set(name, queue);
    }
    return queue;
  }

  /** Closes all queues, and lets no new one be opened. */
  close(): readonly Promise<void>[] {
    this.#closed = true;
    return this.opened().map((queue) => queue.close());
  }

  get(name: string): QueueRegistration | undefined {
    return this.#registrations.get(name);
  }

  /** The queue, where it is in use: not one that a test has put a fake in place of. */
  find(name: string): Queue | undefined {
    return this.#queues.get(name);
  }

  /** Whether this process works on a queue. On one that a test has put a fake in place of, nothing works or listens. */
  worksOn(name: string): boolean {
    return this.#queues.has(name) && this.#registrations.get(name)?.works === true;
  }

  all(): readonly QueueRegistration[] {
    return [...this.#registrations.values()];
  }

  /** The queues in use: not those that a test has put a fake in place of. */
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

/** Names of options only: among the values may be a password. */
function differencesOf(one: QueueRegistration, other: QueueRegistration): readonly string[] {
  const a: Record<string, unknown> = { ...one.given, connectionName: one.connectionName };
  const b: Record<string, unknown> = { ...other.given, connectionName: other.connectionName };
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !isSame(a[key], b[key]));
}

/** A client of the user's own is compared by identity: all of its state is no option. */
function isSame(a: unknown, b: unknown): boolean {
  return a === b || (!isInstance(a) && !isInstance(b) && isDeepStrictEqual(a, b));
}

function isInstance(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null;
}
