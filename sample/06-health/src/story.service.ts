import { Injectable } from '@nestjs/common';
import type { HealthCheckResult } from '@nestjs/terminus';
import { ChasquiWorkers, InjectQueue, type Queue } from 'nestjs-chasqui';
import { MailProcessor } from './mail.processor.js';

/** Requests the health of the application over HTTP, as an orchestrator does, during faults and after them. */
@Injectable()
export class Story {
  constructor(
    @InjectQueue('mail') private readonly mail: Queue,
    private readonly processor: MailProcessor,
    private readonly workers: ChasquiWorkers,
  ) {}

  async tell(url: string): Promise<void> {
    console.log('Everything is healthy:');
    await this.show(`${url}/health/ready`);
    await this.show(`${url}/health/work`);

    console.log('\nA mail to an unknown address becomes a dead letter:');
    const failed = this.processor.nextEnd();
    await this.mail.add('send', { to: 'ada@example.com' });
    await failed;
    await this.show(`${url}/health/work`);

    console.log('\nThe mail server learns the address, and the dead letter is replayed:');
    this.processor.learn('ada@example.com');
    const sent = this.processor.nextEnd();
    await this.mail.replayDlq();
    await sent;
    await this.show(`${url}/health/work`);

    console.log('\nThe worker is stopped:');
    await this.workers.stop('mail');
    await this.show(`${url}/health/ready`);

    console.log('\nThe worker is started again:');
    await this.workers.start('mail');
    await this.show(`${url}/health/ready`);
  }

  private async show(url: string): Promise<void> {
    const response = await fetch(url);
    const { status, details } = (await response.json()) as HealthCheckResult;
    console.log(`  GET ${new URL(url).pathname}: ${response.status} ${status}`);
    for (const [key, { status: state, message }] of Object.entries(details)) {
      console.log(`    ${key}: ${state}${typeof message === 'string' ? `. ${message}` : ''}`);
    }
  }
}
