import { Body, Controller, HttpCode, ParseIntPipe, Post } from '@nestjs/common';
import { InjectQueue, type Queue } from 'nestjs-chasqui';

/** Adds one job per request. */
@Controller()
export class JobsController {
  constructor(
    @InjectQueue('mail') private readonly mail: Queue,
    @InjectQueue('images') private readonly images: Queue,
  ) {}

  @Post('mails')
  @HttpCode(202)
  async send(@Body('to') to: string): Promise<{ id: string }> {
    const { id } = await this.mail.add('send', { to }, { attempts: 3 });
    return { id };
  }

  @Post('images')
  @HttpCode(202)
  async resize(@Body('width', ParseIntPipe) width: number): Promise<{ id: string }> {
    const { id } = await this.images.add('resize', { width });
    return { id };
  }
}
