import { setTimeout as delay } from 'node:timers/promises';
import { JobData, JobSignal, OnJob, Processor } from 'nestjs-chasqui';

/** Resizes images, four at a time. The work takes longer the wider the image is. */
@Processor('images', { concurrency: 4 })
export class ImageProcessor {
  @OnJob('resize')
  async resize(
    @JobData('width') width: number,
    @JobSignal() signal: AbortSignal,
  ): Promise<{ width: number }> {
    await delay(width / 10, undefined, { signal });
    return { width };
  }
}
