import { UseFilters, UseGuards, UseInterceptors, ValidationPipe } from '@nestjs/common';
import { JobData, OnJob, Processor } from 'nestjs-chasqui';
import { BounceFilter, MailboxUnknownError } from './bounce.filter.js';
import { LoggingInterceptor } from './logging.interceptor.js';
import { MailDto } from './mail.dto.js';
import { TenantGuard } from './tenant.guard.js';

@Processor('mail')
@UseGuards(TenantGuard)
@UseInterceptors(LoggingInterceptor)
@UseFilters(BounceFilter)
export class MailProcessor {
  @OnJob('send')
  send(@JobData(new ValidationPipe({ whitelist: true })) mail: MailDto): { sent: string } {
    if (mail.to.startsWith('nobody@')) throw new MailboxUnknownError(mail.to);
    return { sent: mail.to };
  }
}
