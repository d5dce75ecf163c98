import 'reflect-metadata';
import { Injectable, UseInterceptors } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { ChasquiModule, JobData, OnJob, Processor } from 'nestjs-chasqui';
import { openDriver as openEngine } from './chasqui.mjs';

/**
 * This project inside a Nest application: the handler is an `@OnJob` method with a pipe and an interceptor. Producers
 * and everything else are the engine's own.
 *
 * @param {{ port: number }} options
 * @returns {import('./driver.d.ts').Driver}
 */
export function openDriver({ port }) {
  return {
    ...openEngine({ port }),

    async worker(name, handler, { concurrency }) {
      const module = await Test.createTestingModule({
        imports: [
          ChasquiModule.forRoot({ connection: { host: '127.0.0.1', port } }),
          ChasquiModule.forFeature({ name }),
        ],
        providers: [processorClass(name, handler, concurrency), Trimming, Passing],
      }).compile();
      return {
        start: () =>
          void module.init().catch((error) => {
            throw error;
          }),
        close: () => module.close(),
      };
    },
  };
}

class Trimming {
  transform(data) {
    return data;
  }
}
decorate(Injectable(), Trimming);

class Passing {
  intercept(_context, next) {
    return next.handle();
  }
}
decorate(Injectable(), Passing);

/** What the decorators of TypeScript would do. */
function processorClass(queue, handler, concurrency) {
  class BenchProcessor {
    handle(data) {
      return handler({ data });
    }
  }
  const method = Object.getOwnPropertyDescriptor(BenchProcessor.prototype, 'handle');
  JobData(Trimming)(BenchProcessor.prototype, 'handle', 0);
  UseInterceptors(Passing)(BenchProcessor.prototype, 'handle', method);
  OnJob('welcome')(BenchProcessor.prototype, 'handle', method);
  decorate(Processor(queue, { concurrency }), BenchProcessor);
  return BenchProcessor;
}

function decorate(decorator, target) {
  decorator(target);
}
