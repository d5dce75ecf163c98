import { setTimeout as delay } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectQueue, type Job, type Queue } from 'nestjs-chasqui';

/** Of ten mails, seven arrive at once, two at the second attempt, and one never. */
const MAILS = [...Array<string>(7).fill('ada'), 'busy', 'busy', 'nobody'];
const WIDTHS = [200, 400, 800, 1_600];

/** Adds jobs as customers would. */
@Injectable()
export class Load {
  constructor(
    @InjectQueue('mail') private readonly mail: Queue,
    @InjectQueue('images') private readonly images: Queue,
  ) {}

  /** Adds ten mails and four images. */
  async round(): Promise<readonly Job[]> {
    const mails = MAILS.map((name) => ({
      name: 'send',
      data: { to: `${name}@example.com` },
      opts: { attempts: 3 },
    }));
    const images = WIDTHS.map((width) => ({ name: 'resize', data: { width } }));
    return [...(await this.mail.addBulk(mails)), ...(await this.images.addBulk(images))];
  }

  /** Adds a round every half second, until the signal is aborted. */
  async untilAborted(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round();
      await delay(500, undefined, { signal }).catch(() => undefined);
    }
  }
}
