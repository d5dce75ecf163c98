import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly chasqui: ChasquiHealthIndicator,
  ) {}

  /** For the orchestrator: whether this process can do its work. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.chasqui.checkConnection('redis', { timeoutMs: 500 }),
      () => this.chasqui.checkWorkers('workers', { requireRunning: true }),
    ]);
  }

  /** For people and alarms: whether jobs are done in time. A restart of the process would not fix these faults. */
  @Get('work')
  @HealthCheck()
  work(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.chasqui.checkBacklog('backlog', { maxOldestWaitingMs: 60_000, maxDeadLetters: 0 }),
    ]);
  }
}
