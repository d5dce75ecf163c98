import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { checkOptions } from '../engine/validate.js';
import type { Connection, Queue } from '../engine/index.js';
import { ChasquiWorkers } from '../nest/runtime/chasqui.workers.js';
import type { QueueRegistration } from '../nest/runtime/queue.registration.js';
import { QueueRegistry } from '../nest/runtime/queue.registry.js';
import { checkBacklog } from './backlog.check.js';
import { ANSWER_TIMEOUT_MS, checkConnection } from './connection.check.js';
import { summaryOf, type Finding } from './finding.js';
import type { BacklogCheckOptions, ConnectionCheckOptions, WorkersCheckOptions } from './options.js';
import { backlogSchema, checkNames, connectionSchema, workersSchema } from './schemas.js';
import { checkWorker } from './workers.check.js';

interface InUse {
  readonly registration: QueueRegistration;
  readonly queue: Queue;
}

/**
 * Health of the queues of this process, for `@nestjs/terminus`: provide it in the module whose imports have
 * `TerminusModule`. Every check answers within its timeout, also while Redis hangs, and says of what is wrong what to do.
 *
 * @example
 * ```ts
 * @HealthCheck()
 * @Get('ready')
 * ready() {
 *   return this.health.check([
 *     () => this.chasqui.checkConnection('redis'),
 *     () => this.chasqui.checkWorkers('workers'),
 *     () => this.chasqui.checkBacklog('backlog', { maxOldestWaitingMs: 60_000 }),
 *   ]);
 * }
 * ```
 */
@Injectable()
export class ChasquiHealthIndicator {
  constructor(
    private readonly indicator: HealthIndicatorService,
    private readonly queues: QueueRegistry,
    private readonly workers: ChasquiWorkers,
  ) {}

  /**
   * Whether Redis answers a PING on the connections that the queues of this process use.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkConnection<const Key extends string>(
    key: Key,
    options: ConnectionCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkOptions('checkConnection', connectionSchema, options);
    const { timeoutMs = ANSWER_TIMEOUT_MS, connections } = options;
    const all = this.connections();
    if (connections) checkNames('connection', connections, [...all.keys()]);
    const checked = [...all].filter(([name]) => connections?.includes(name) ?? true);
    const findings = checked.map(([name, queue]) => checkConnection(name, queue, timeoutMs));
    return this.result(key, 'connections', await Promise.all(findings));
  }

  /**
   * Whether the workers of this process fetch jobs. Asks the workers themselves, so it sends nothing.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkWorkers<const Key extends string>(
    key: Key,
    options: WorkersCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkOptions('checkWorkers', workersSchema, options);
    const { queues = this.workers.queues } = options;
    checkNames('worker for the queue', queues, this.workers.queues);
    return this.result(
      key,
      'workers',
      queues.map((name) => checkWorker(name, this.workers.get(name), options)),
    );
  }

  /**
   * How much there is to do, and whether that is more, or later, than it should be.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkBacklog<const Key extends string>(
    key: Key,
    options: BacklogCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkOptions('checkBacklog', backlogSchema, options);
    const { queues, timeoutMs = ANSWER_TIMEOUT_MS } = options;
    const all = this.inUse();
    if (queues) {
      const names = all.map(({ registration }) => registration.name);
      checkNames('queue', queues, names);
    }
    const checked = all.filter(({ registration }) => queues?.includes(registration.name) ?? true);
    const findings = checked.map(({ registration, queue }) => {
      const group = this.groupOf(registration);
      const connection = connectionOf(registration);
      return checkBacklog(registration.name, queue, { connection, group, timeoutMs }, options);
    });
    return this.result(key, 'queues', await Promise.all(findings));
  }

  private result<Key extends string>(
    key: Key,
    what: string,
    findings: readonly Finding[],
  ): HealthIndicatorResult<Key> {
    const { details, message } = summaryOf(findings);
    const session = this.indicator.check(key);
    return message === undefined
      ? session.up({ [what]: details })
      : session.down({ message, [what]: details });
  }

  private inUse(): readonly InUse[] {
    return this.queues.all().flatMap((registration) => {
      const queue = this.queues.find(registration.name);
      return queue ? [{ registration, queue }] : [];
    });
  }

  /** One queue of each connection, by the connection's name: all that share it have the same link. */
  private connections(): ReadonlyMap<string, Queue> {
    const seen = new Set<Connection>();
    const byName = new Map<string, Queue>();
    for (const { registration, queue } of this.inUse()) {
      const { connection } = queue.opts;
      if (seen.has(connection)) continue;
      seen.add(connection);
      byName.set(connectionOf(registration), queue);
    }
    return byName;
  }

  private groupOf(registration: QueueRegistration): string {
    const worker = this.workers.get(registration.name);
    return worker?.opts.group ?? registration.workerOptionsWith({}).group ?? 'default';
  }
}

/** A queue may bring a connection of its own, which has no other name than the queue's. */
function connectionOf({ name, connectionName, given }: QueueRegistration): string {
  return given.connection === undefined ? connectionName : `of queue ${name}`;
}
