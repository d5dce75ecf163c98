import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { UnrecoverableError } from 'nestjs-chasqui';
import type { Payment } from '../orders.js';

/** The bank pays no more at once. */
const LIMIT = 10_000;

/** Stands for a real bank. Now and then it does not answer, and large payments are declined. */
@Injectable()
export class Bank {
  async charge({ cents, customer }: Payment, attempt: number, signal: AbortSignal): Promise<void> {
    await delay(30, undefined, { signal });
    // A retry does not help, so the job becomes a dead letter at once. Somebody looks at it on the board.
    if (cents > LIMIT) throw new UnrecoverableError(`the card of ${customer} was declined`);
    if (cents % 4 === 0 && attempt === 1) throw new Error('the bank does not answer');
  }
}
