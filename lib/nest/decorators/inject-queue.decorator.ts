import { Inject } from '@nestjs/common';
import { getQueueToken } from '../tokens.js';

/** Injects the queue that `ChasquiModule.forFeature` registers under this name. */
export function InjectQueue(name: string): ParameterDecorator & PropertyDecorator {
  return Inject(getQueueToken(name));
}
