import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ChasquiQueues, type DlqPageOptions, type Job, type JobType, type Queue } from 'nestjs-chasqui';
import { AdminGuard } from './admin.guard.js';
import { QueueErrorFilter } from './queue-error.filter.js';

type DlqQuery = Pick<DlqPageOptions, 'reason' | 'name' | 'text' | 'order' | 'after'>;

/** What an engineer on call needs, for all queues of the application. Only behind a guard: it shows the data of jobs. */
@Controller('admin/queues')
@UseGuards(AdminGuard)
@UseFilters(QueueErrorFilter)
export class AdminController {
  constructor(private readonly queues: ChasquiQueues) {}

  @Get()
  list(): readonly string[] {
    return this.queues.names;
  }

  @Get(':queue')
  async show(@Param('queue') name: string): Promise<object> {
    const queue = this.queue(name);
    const [paused, counts, workers, schedules] = await Promise.all([
      queue.isPaused(),
      queue.getJobCounts(),
      queue.getWorkers(),
      queue.getJobSchedulers(0, 99, true),
    ]);
    return { name, paused, counts, workers, schedules };
  }

  @Post(':queue/pause')
  @HttpCode(200)
  async pause(@Param('queue') name: string): Promise<object> {
    await this.queue(name).pause();
    return { paused: true };
  }

  @Post(':queue/resume')
  @HttpCode(200)
  async resume(@Param('queue') name: string): Promise<object> {
    await this.queue(name).resume();
    return { paused: false };
  }

  @Get(':queue/jobs')
  async jobs(
    @Param('queue') name: string,
    @Query('state') state: string,
    @Query('start', new ParseIntPipe({ optional: true })) start = 0,
    @Query('end', new ParseIntPipe({ optional: true })) end = 49,
  ): Promise<readonly object[]> {
    const jobs = await this.queue(name).getJobs(state as JobType, start, end);
    return jobs.map((job) => job.toJSON());
  }

  @Get(':queue/jobs/:id')
  async job(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    const job = await this.find(name, id);
    return { ...job.toJSON(), state: await job.getState() };
  }

  @Post(':queue/jobs/:id/promote')
  @HttpCode(200)
  async promote(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    await (await this.find(name, id)).promote();
    return { promoted: id };
  }

  @Delete(':queue/jobs/:id')
  async remove(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    await (await this.find(name, id)).remove();
    return { removed: id };
  }

  /** One page. `next` of the answer is `after` of the next page. */
  @Get(':queue/dead-letters')
  async deadLetters(
    @Param('queue') name: string,
    @Query() query: DlqQuery,
    @Query('limit', new ParseIntPipe({ optional: true })) limit = 50,
  ): Promise<object> {
    const { entries, next } = await this.queue(name).getDlq({ ...query, limit });
    return { entries: entries.map(({ payload: _bytes, ...entry }) => entry), next };
  }

  @Post(':queue/dead-letters/replay')
  @HttpCode(200)
  async replay(@Param('queue') name: string, @Body() selection: DlqQuery): Promise<object> {
    return { replayed: await this.queue(name).replayDlq(selection) };
  }

  @Post(':queue/schedules/:id/pause')
  @HttpCode(200)
  async pauseSchedule(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    return { changed: await this.queue(name).pauseJobScheduler(id) };
  }

  @Post(':queue/schedules/:id/resume')
  @HttpCode(200)
  async resumeSchedule(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    return { changed: await this.queue(name).resumeJobScheduler(id) };
  }

  @Post(':queue/schedules/:id/run')
  @HttpCode(200)
  async runSchedule(@Param('queue') name: string, @Param('id') id: string): Promise<object> {
    const job = await this.queue(name).runJobScheduler(id);
    return { jobId: job.id, added: !job.duplicate };
  }

  private queue(name: string): Queue {
    if (!this.queues.names.includes(name)) throw new NotFoundException(`There is no queue "${name}".`);
    return this.queues.get(name);
  }

  private async find(name: string, id: string): Promise<Job> {
    const job = await this.queue(name).getJob(id);
    if (!job) throw new NotFoundException(`Queue "${name}" has no job "${id}".`);
    return job;
  }
}
