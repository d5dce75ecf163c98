import { Body, Controller, Get, HttpCode, NotFoundException, Param, Post } from '@nestjs/common';
import { ChasquiQueues, InjectQueue, type Queue } from 'nestjs-chasqui';
import { Order } from '../orders.js';

/** Takes orders. A worker in another process places them. */
@Controller('orders')
export class OrdersController {
  constructor(
    @InjectQueue('orders') private readonly orders: Queue<Order>,
    private readonly queues: ChasquiQueues,
  ) {}

  @Post()
  @HttpCode(202)
  async place(@Body() order: Order): Promise<{ id: string }> {
    const { id } = await this.orders.add('place', order, {
      attempts: 3,
      backoff: { type: 'fixed', delay: 500 },
    });
    return { id };
  }

  /** Runs the nightly report now. Its next run stays. */
  @Post('report')
  @HttpCode(202)
  async report(): Promise<{ id: string }> {
    const { id } = await this.orders.runJobScheduler('@Repeat:report');
    return { id };
  }

  /** How many jobs are in which state, for each queue. */
  @Get('progress')
  async progress(): Promise<Record<string, Record<string, number>>> {
    const counts = this.queues.names.map(
      async (name) => [name, await this.queues.get(name).getJobCounts()] as const,
    );
    return Object.fromEntries(await Promise.all(counts));
  }

  @Get(':id')
  async show(@Param('id') id: string): Promise<{ id: string; state: string }> {
    const job = await this.orders.getJob(id);
    if (!job) throw new NotFoundException(`There is no order "${id}".`);
    return { id, state: await job.getState() };
  }
}
