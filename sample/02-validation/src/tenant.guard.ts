import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { JobExecutionContext } from 'nestjs-chasqui';
import type { MailDto } from './mail.dto.js';

const ACTIVE = new Set(['acme']);

/** Refuses jobs of tenants that have left. A refused job becomes a dead letter at once. */
@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const data = JobExecutionContext.create<MailDto | null>(context).getData();
    return data !== null && ACTIVE.has(data.tenant);
  }
}
