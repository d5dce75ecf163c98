import { JobAttempt, JobData, JobSignal, OnJob, Processor } from 'nestjs-chasqui';
import type { Payment } from '../orders.js';
import { Bank } from './bank.service.js';

@Processor('payments', { concurrency: 5 })
export class PaymentProcessor {
  constructor(private readonly bank: Bank) {}

  @OnJob('charge', { timeoutMs: 5_000 })
  async charge(
    @JobData() payment: Payment,
    @JobAttempt() attempt: number,
    @JobSignal() signal: AbortSignal,
  ): Promise<{ paid: number }> {
    await this.bank.charge(payment, attempt, signal);
    return { paid: payment.cents };
  }
}
