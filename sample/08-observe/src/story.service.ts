import { Injectable } from '@nestjs/common';
import { Load } from './load.service.js';

const ROUNDS = 5;
/** The metrics that the story prints; there are many more. */
const SHOWN = /^(chasqui_jobs_ended_total|chasqui_queue_jobs|chasqui_queue_workers)\{/;

/** Runs a few jobs, and reads over HTTP what Prometheus and an autoscaler read. */
@Injectable()
export class Story {
  constructor(private readonly load: Load) {}

  async tell(url: string): Promise<void> {
    console.log(`${ROUNDS} rounds of ten mails and four images. Some mails fail.`);
    for (let round = 0; round < ROUNDS; round += 1) {
      const jobs = await this.load.round();
      // A dead letter has no result: its promise rejects.
      await Promise.allSettled(jobs.map((job) => job.waitForResult()));
    }

    console.log('\nWhat Prometheus scrapes, GET /metrics:');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    // Counters of what has not happened are there, too, with 0.
    const shown = metrics.split('\n').filter((line) => SHOWN.test(line) && !/_total.* 0$/.test(line));
    for (const line of shown) console.log(`  ${line}`);

    console.log('\nWhat an autoscaler asks, GET /chasqui/scale/mail:');
    console.log(`  ${await (await fetch(`${url}/chasqui/scale/mail`)).text()}`);

    console.log(
      '\nTo see it in Prometheus and Grafana, run `npm start 08-observe load`, and read the README.md',
    );
    console.log('of the sample.');
  }
}
