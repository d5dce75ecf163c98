import { Injectable, Optional } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { Connection, Queue } from '../engine/index.js';
import { checkText } from '../engine/config/check-arguments.js';
import { checkOptions } from '../engine/config/check-options.js';
import { ChasquiWorkers } from '../nest/runtime/chasqui.workers.js';
import type { QueueRegistration } from '../nest/runtime/queue.registration.js';
import { QueueRegistry } from '../nest/runtime/queue.registry.js';
import { namedParticipants, queuesInUse, type QueueInUse } from '../nest/runtime/queues-in-use.js';
import { checkBacklog } from './backlog.check.js';
import { ANSWER_TIMEOUT_MS, checkConnection } from './connection.check.js';
import { summaryOf, type Finding } from './finding.js';
import type { BacklogCheckOptions, ConnectionCheckOptions, WorkersCheckOptions } from './options.js';
import { backlogSchema, checkNames, connectionSchema, workersSchema } from './schemas.js';
import { checkWorker, type Checked } from './workers.check.js';

const REGISTER =
  'Register a queue with ChasquiModule.forFeature, start a ChasquiServer, or remove this check from this process.';

/**
 * Checks the queues of this process, for `@nestjs/terminus`. Provide it in the module that imports `TerminusModule`. Every
 * check answers within its timeout, even if Redis hangs. A message says what is wrong and what to do. A check that has
 * nothing to check is down and says so.
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
    // An application with only a ChasquiServer or a ChasquiClient needs no ChasquiModule.
    @Optional() private readonly queues?: QueueRegistry,
    @Optional() private readonly workers?: ChasquiWorkers,
  ) {}

  /**
   * Checks that Redis answers a PING on the connections that the queues of this process use.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkConnection<const Key extends string>(
    key: Key,
    options: ConnectionCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkText('ChasquiHealthIndicator.checkConnection: the key', key);
    options = checkOptions('ChasquiHealthIndicator.checkConnection', connectionSchema, options);
    const { timeoutMs = ANSWER_TIMEOUT_MS, connections } = options;
    const all = this.connections();
    if (connections) checkNames('connection', connections, [...all.keys()]);
    const checked = [...all].filter(([name]) => connections?.includes(name) ?? true);
    const findings = checked.map(([name, queue]) => checkConnection(name, queue, timeoutMs));
    return this.result(key, 'connections', await Promise.all(findings), this.unused(connections));
  }

  /**
   * Checks that the workers of this process fetch jobs. It asks the workers and sends nothing to Redis.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkWorkers<const Key extends string>(
    key: Key,
    options: WorkersCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkText('ChasquiHealthIndicator.checkWorkers: the key', key);
    options = checkOptions('ChasquiHealthIndicator.checkWorkers', workersSchema, options);
    const { queues, allowNone = false } = options;
    const all = this.checkedWorkers();
    const names = all.map(({ name }) => name);
    if (queues) checkNames('worker for the queue', queues, names);
    const checked = all.filter(({ name }) => queues?.includes(name) ?? true);
    const findings = checked.map((worker) => checkWorker(worker, options));
    const none =
      'This process has no worker. Add a @Processor or a ChasquiServer, and check that `workers` includes the queue. ' +
      'If this process is meant to have no worker, call checkWorkers with allowNone: true.';
    return this.result(key, 'workers', findings, allowNone ? undefined : none);
  }

  /**
   * Checks how many jobs wait, how late they are, and how many dead letters there are, against your thresholds.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  async checkBacklog<const Key extends string>(
    key: Key,
    options: BacklogCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    checkText('ChasquiHealthIndicator.checkBacklog: the key', key);
    options = checkOptions('ChasquiHealthIndicator.checkBacklog', backlogSchema, options);
    const { queues, timeoutMs = ANSWER_TIMEOUT_MS } = options;
    const all = this.inUse();
    const names = all.map(({ name }) => name);
    if (queues) checkNames('queue', queues, names);
    const checked = all.filter(({ name }) => queues?.includes(name) ?? true);
    const findings = checked.map(({ name, queue, connection, group }) =>
      checkBacklog(name, queue, { connection, group, timeoutMs }, options),
    );
    return this.result(key, 'queues', await Promise.all(findings), this.unused(queues));
  }

  /** @param none the message if nothing was checked; undefined if that is not a fault */
  private result<Key extends string>(
    key: Key,
    what: string,
    findings: readonly Finding[],
    none: string | undefined,
  ): HealthIndicatorResult<Key> {
    const { details, message = findings.length === 0 ? none : undefined } = summaryOf(findings);
    const session = this.indicator.check(key);
    return message === undefined
      ? session.up({ [what]: details })
      : session.down({ message, [what]: details });
  }

  /** The message for a process without queues. Undefined if it has queues, even if a test has replaced them with fakes. */
  private unused(named: readonly string[] | undefined): string | undefined {
    if (named?.length === 0) return 'Nothing was checked: the list of names is empty.';
    if (this.registrations().length > 0) return undefined;
    return `Nothing was checked: this process uses no queue. ${REGISTER}`;
  }

  private registrations(): readonly QueueRegistration[] {
    return this.queues?.all() ?? [];
  }

  private inUse(): readonly QueueInUse[] {
    return queuesInUse(this.queues, this.workers);
  }

  private checkedWorkers(): readonly Checked[] {
    const own = (this.workers?.queues ?? []).map((queue) => ({
      name: queue,
      queue,
      worker: this.workers?.get(queue),
      start: `ChasquiWorkers.start('${queue}')`,
    }));
    const taken = new Set(own.map(({ name }) => name));
    const others = namedParticipants(taken).flatMap(({ name, participant: { queue, worker } }) =>
      worker ? [{ name, queue: queue.name, worker, start: 'app.startAllMicroservices()' }] : [],
    );
    return [...own, ...others];
  }

  /** One queue of each connection, by the name of the connection: all queues of a connection share its link. */
  private connections(): ReadonlyMap<string, Queue> {
    const seen = new Set<Connection>();
    const byName = new Map<string, Queue>();
    for (const { queue, connection } of this.inUse()) {
      if (seen.has(queue.opts.connection)) continue;
      seen.add(queue.opts.connection);
      let name = connection;
      for (let i = 2; byName.has(name); i++) name = `${connection} (${i})`;
      byName.set(name, queue);
    }
    return byName;
  }
}
