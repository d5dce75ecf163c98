import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { ChasquiHealthIndicator } from 'nestjs-chasqui/health';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly chasqui: ChasquiHealthIndicator,
  ) {}

  /** For the orchestrator: can this process do its work? */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.chasqui.checkConnection('redis', { timeoutMs: 500 }),
      () => this.chasqui.checkWorkers('workers', { requireRunning: true }),
    ]);
  }

  /** For people and alarms: does the work get done? Starting a process anew would not mend what this finds. */
  @Get('work')
  @HealthCheck()
  work(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.chasqui.checkBacklog('backlog', { maxOldestWaitingMs: 60_000, maxDeadLetters: 0 }),
    ]);
  }
}
