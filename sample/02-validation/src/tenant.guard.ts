import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { JobExecutionContext } from 'nestjs-chasqui';
import type { MailDto } from './mail.dto.js';

const ACTIVE = new Set(['acme']);

/** Jobs of tenants that have left are not to run. A refusal is final: the job goes to the dead letters. */
@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const data = JobExecutionContext.create<MailDto | null>(context).getData();
    return data !== null && ACTIVE.has(data.tenant);
  }
}
