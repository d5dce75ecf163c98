import {
  Injectable,
  Module,
  UseGuards,
  type CanActivate,
  type INestApplicationContext,
  type Type,
} from '@nestjs/common';
import { LazyModuleLoader, NestFactory, SerializedGraph } from '@nestjs/core';
import { afterEach, describe, expect, it } from 'vitest';
import { ChasquiModule, ChasquiWorkers, JobData, OnJob, Processor, Repeat } from '../../lib/index.js';
import { useRedis } from '../support/redis.js';
import { runJob } from './support/apps.js';

// What Nest itself offers to who observes an application: its graph, and a decorator of all instances.
const redis = useRedis();
let app: INestApplicationContext | undefined;

afterEach(async () => {
  await app?.close();
  app = undefined;
});

@Injectable()
class Refusing implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Processor('mail')
@Processor('post')
class MailProcessor {
  @OnJob('send', /^resend/)
  send(@JobData('to') to: string): string {
    return `sent to ${to}`;
  }

  @OnJob('digest')
  @Repeat('0 8 * * *')
  digest(): void {}

  @OnJob('refused')
  @UseGuards(Refusing)
  refused(): void {}

  @OnJob()
  rest(): void {}
}

@Processor('late')
class LateProcessor {
  @OnJob('come')
  come(): void {}
}

@Module({ providers: [LateProcessor] })
class LateModule {}

function appModule(): Type {
  @Module({
    imports: [
      ChasquiModule.forRoot({ connection: redis.connection }),
      ChasquiModule.forFeature('mail', 'post', 'late'),
    ],
    providers: [MailProcessor],
  })
  class AppModule {}
  return AppModule;
}

const QUIET = { logger: false, abortOnError: false } as const;

/** The job handlers in the graph: `Class.method` and key. */
function handlersIn(graph: SerializedGraph): string[] {
  return Object.values(graph.toJSON().entrypoints)
    .flat()
    .filter(({ type }) => type === 'chasqui-job')
    .map(({ className, methodName, metadata }) => `${className}.${methodName} ${metadata.key}`);
}

describe("Nest's graph", () => {
  it('has each handler as an entry point of its class, once', async () => {
    app = await NestFactory.createApplicationContext(appModule(), { ...QUIET, snapshot: true });
    const graph = app.get(SerializedGraph);
    const expected = ['mail', 'post'].flatMap((queue) => [
      `MailProcessor.send ${queue}: send and /^resend/`,
      `MailProcessor.digest ${queue}: digest`,
      `MailProcessor.refused ${queue}: refused`,
      `MailProcessor.rest ${queue}: *`,
    ]);
    expect(handlersIn(graph).sort()).toEqual([...expected].sort());
    const { nodes, entrypoints } = graph.toJSON();
    for (const [parent, entries] of Object.entries(entrypoints)) {
      expect(nodes[parent]?.label).toBe('MailProcessor');
      expect(entries.map(({ classNodeId }) => classNodeId)).toEqual(entries.map(() => parent));
      expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    }

    await app.get(LazyModuleLoader).load(() => LateModule);
    await app.get(ChasquiWorkers).discover();
    expect(handlersIn(graph).sort()).toEqual([...expected, 'LateProcessor.come late: come'].sort());
  });

  it('has nothing without a snapshot: then Nest keeps no graph', async () => {
    app = await NestFactory.createApplicationContext(appModule(), QUIET);
    expect(app.get(SerializedGraph).toJSON().entrypoints).toEqual({});
  });
});

describe('instrument.instanceDecorator', () => {
  it('sees each call of a handler by the names of class and method', async () => {
    const calls: string[] = [];
    const instanceDecorator = (instance: unknown): unknown => {
      if (!(instance instanceof MailProcessor)) return instance;
      return new Proxy(instance, {
        get(target, key, receiver) {
          const value: unknown = Reflect.get(target, key, receiver);
          if (typeof value !== 'function' || typeof key === 'symbol' || key === 'constructor') return value;
          const watched = (...args: unknown[]): unknown => {
            calls.push(`${target.constructor.name}.${key}`);
            return Reflect.apply(value, receiver, args) as unknown;
          };
          // The guards and the parameters of a method are in its metadata.
          for (const name of Reflect.getMetadataKeys(value) as unknown[]) {
            Reflect.defineMetadata(name, Reflect.getMetadata(name, value), watched);
          }
          return watched;
        },
      });
    };
    app = await NestFactory.createApplicationContext(appModule(), {
      ...QUIET,
      instrument: { instanceDecorator },
    });
    expect(await runJob(app, 'mail', 'send', { to: 'ada' })).toMatchObject({ result: 'sent to ada' });
    await runJob(app, 'mail', 'refused');
    expect(calls).toEqual(['MailProcessor.send']);
  });
});
