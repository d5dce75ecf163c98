import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { InjectQueue, type Queue } from 'nestjs-chasqui';
import { drawWaiting, summarize } from './chart.js';
import { FairReports, LimitedReports, Reports, type Report } from './reports.processor.js';

/** How many reports each tenant wants. */
const LOAD = { acme: 180, bakery: 7, cinema: 7, dentist: 6 };
const REPORT_MS = 15;

/** The same load, three times: without groups, with groups, and with groups that have a concurrency. */
@Injectable()
export class Story {
  constructor(
    @InjectQueue('reports') private readonly plain: Queue<Report>,
    @InjectQueue('fair-reports') private readonly fair: Queue<Report>,
    @InjectQueue('limited-reports') private readonly limited: Queue<Report>,
    private readonly reports: Reports,
    private readonly fairReports: FairReports,
    private readonly limitedReports: LimitedReports,
  ) {}

  async tell(): Promise<void> {
    const total = Object.values(LOAD).reduce((sum, count) => sum + count, 0);
    console.log(
      `${total} reports of ${REPORT_MS} ms, four at a time. acme wants ${LOAD.acme} of them, all at once.`,
    );

    await this.addLoad(this.plain, false);
    await this.reports.written(total);
    drawWaiting('Without groups, first come, first served:', this.reports.waited);

    await this.addLoad(this.fair, true);
    await this.fairReports.written(total);
    drawWaiting('With groups, the tenants take turns:', this.fairReports.waited);

    await this.addLoad(this.limited, true);
    await this.limitedReports.written(total);
    drawWaiting('With groups of concurrency 1, acme never has two handlers:', this.limitedReports.waited);

    summarize(
      new Map([
        ['without groups', this.reports.waited],
        ['with groups', this.fairReports.waited],
        ['with concurrency 1', this.limitedReports.waited],
      ]),
    );
  }

  /** The flood of acme, and then, in the course of the next half second, the reports of the others. */
  private async addLoad(queue: Queue<Report>, isGrouped: boolean): Promise<void> {
    const add = (tenant: string, count: number): Promise<unknown> =>
      queue.addBulk(
        Array.from({ length: count }, () => ({
          name: 'write',
          data: { tenant, ms: REPORT_MS },
          ...(isGrouped && { opts: { group: { id: tenant } } }),
        })),
      );
    const { acme, ...others } = LOAD;
    await add('acme', acme);
    for (let at = 0; at < Math.max(...Object.values(others)); at += 1) {
      for (const [tenant, count] of Object.entries(others)) if (at < count) await add(tenant, 1);
      await sleep(60);
    }
  }
}
