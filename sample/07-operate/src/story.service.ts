import { Inject, Injectable } from '@nestjs/common';
import { InjectQueue, type JobCounts, type Queue } from 'nestjs-chasqui';
import { ADMIN_TOKEN } from './admin.guard.js';
import { MailProcessor } from './mail.processor.js';

interface Overview {
  paused: boolean;
  counts: JobCounts;
  workers: { name: string; pid: number; concurrency: number }[];
  schedules: { key: string; paused: boolean }[];
}

interface DeadLetters {
  entries: { jobId: string; reason: string; detail: string }[];
  next?: string;
}

/** A night of an engineer on call: makes load, and calls the admin endpoints over HTTP. */
@Injectable()
export class Story {
  constructor(
    @InjectQueue('mail') private readonly mail: Queue,
    private readonly processor: MailProcessor,
    @Inject(ADMIN_TOKEN) private readonly token: string,
  ) {}

  async tell(url: string): Promise<void> {
    const admin = new Admin(`${url}/admin/queues`, this.token);

    console.log('Without the token, and with a wrong one:');
    await new Admin(admin.url, undefined).show('GET', '/mail');
    await new Admin(admin.url, 'guessed').show('POST', '/mail/pause');

    console.log('\nThe mail server has trouble, so the queue is paused. Adds continue:');
    await admin.show('POST', '/mail/pause');
    await this.addLoad();
    await this.overview(admin);
    await admin.show('GET', '/mail/jobs?state=delayed&end=0', (jobs) => {
      return (jobs as { id: string; delay: number }[]).map(({ id }) => id).join();
    });

    console.log('\nThe queue is resumed, and some mails fail:');
    await admin.show('POST', '/mail/resume');
    await this.processor.ended(7);
    await this.overview(admin);

    console.log('\nThe dead letters, two to a page, the newest first; then by reason:');
    const { next } = await this.deadLetters(admin, 'limit=2');
    await this.deadLetters(admin, `limit=2&after=${encodeURIComponent(next ?? '')}`);
    await this.deadLetters(admin, 'reason=unrecoverable');

    console.log('\nThe server is well again. What failed because of it is replayed:');
    this.processor.isServerBusy = false;
    await admin.show('POST', '/mail/dead-letters/replay', undefined, { reason: 'retries_exhausted' });
    await this.processor.ended(9);
    await this.overview(admin);

    console.log('\nOne job: looked at, promoted, and removed after it has completed:');
    await admin.show('GET', '/mail/jobs/newsletter', state);
    await admin.show('POST', '/mail/jobs/newsletter/promote');
    await this.processor.ended(10);
    await admin.show('GET', '/mail/jobs/newsletter', state);
    await admin.show('DELETE', '/mail/jobs/newsletter');
    await admin.show('GET', '/mail/jobs/newsletter', message);

    console.log('\nThe digest is paused, and sent now for once:');
    const digest = `/mail/schedules/${encodeURIComponent('@Repeat:digest')}`;
    await admin.show('POST', `${digest}/pause`);
    await admin.show(
      'POST',
      `${digest}/run`,
      (answer) => `added: ${String((answer as { added: boolean }).added)}`,
    );
    await this.processor.ended(11);
    await this.overview(admin);
    await admin.show('POST', `${digest}/resume`);

    console.log('\nMistakes are answered:');
    await admin.show('GET', '/male', message);
    await admin.show('GET', '/mail/jobs?state=wating', message);
    await admin.show('POST', '/mail/schedules/weekly/pause', message);

    // The queue belongs to this run, so its schedule is removed. Your app keeps it.
    await this.mail.removeJobScheduler('@Repeat:digest');
  }

  /** Four mails that arrive, two that find a busy server, one to an unknown address; and one for tomorrow. */
  private async addLoad(): Promise<void> {
    const people = ['ada', 'bob', 'eve', 'joe', 'busy-1', 'busy-2', 'nobody'];
    await this.mail.addBulk(people.map((to) => ({ name: 'send', data: { to: `${to}@example.com` } })));
    await this.mail.add('send', { to: 'all@example.com' }, { jobId: 'newsletter', delay: 86_400_000 });
  }

  private async overview(admin: Admin): Promise<void> {
    await admin.show('GET', '/mail', (answer) => {
      const { paused, counts, workers, schedules } = answer as Overview;
      const some = Object.entries(counts).filter(([, count]) => count > 0);
      return [
        `paused: ${String(paused)}`,
        some.map(([name, count]) => `${name}: ${String(count)}`).join(', '),
        `workers: ${String(workers.length)}`,
        schedules.map((schedule) => `${schedule.key}${schedule.paused ? ' (paused)' : ''}`).join(),
      ].join('; ');
    });
  }

  private async deadLetters(admin: Admin, query: string): Promise<DeadLetters> {
    const answer = await admin.show('GET', `/mail/dead-letters?${query}`, (page) => {
      const { entries, next } = page as DeadLetters;
      return `${entries.map(({ reason, detail }) => `${reason} (${detail})`).join(', ')}${next === undefined ? '' : ', and more'}`;
    });
    return answer as DeadLetters;
  }
}

const state = (job: unknown): string => `state ${(job as { state: string }).state}`;
const message = (answer: unknown): string => (answer as { message: string }).message;

/** An HTTP client of the admin endpoints. */
class Admin {
  constructor(
    readonly url: string,
    private readonly token: string | undefined,
  ) {}

  /** Sends a request, and prints what comes back. */
  async show(
    method: string,
    path: string,
    shorten: (answer: unknown) => string = JSON.stringify,
    body?: object,
  ): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(this.token !== undefined && { authorization: `Bearer ${this.token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    if (response.status >= 500) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
    const shown = response.ok ? shorten(answer) : message(answer);
    console.log(`  ${method} ${path.replace(/after=[^&]+/, 'after=…')}: ${response.status} ${shown}`);
    return answer;
  }
}
