import { Injectable } from '@nestjs/common';
import { UnrecoverableError } from 'nestjs-chasqui';

const BAD_START = 2;

/** Acts as a mail server that fails twice before it works, and that blocks one address. */
@Injectable()
export class Mailer {
  #calls = 0;
  readonly #blocked = new Set(['poison@example.com']);

  deliver(to: string): { delivered: true } {
    this.#calls += 1;
    if (this.#blocked.has(to)) {
      // A retry cannot help. With this error, the job becomes a dead letter at once.
      throw new UnrecoverableError('blocked address');
    }
    if (this.#calls <= BAD_START) throw new Error('transient SMTP failure');
    return { delivered: true };
  }

  unblock(address: string): void {
    this.#blocked.delete(address);
  }
}
