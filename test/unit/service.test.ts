import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { DueLoop } from '../../lib/engine/timers/due-loop.js';
import { Service } from '../../lib/engine/base/service.js';
import { stressService } from '../support/service-stress.js';

class Recorded extends Service {
  readonly log: string[] = [];
  startsIn: () => Promise<void> = () => Promise.resolve();
  stopsIn: () => Promise<void> = () => Promise.resolve();
  protected override readonly marginMs: number = 0;

  protected async onStart(): Promise<void> {
    this.log.push('start');
    await this.startsIn();
  }

  protected override onStopAgain(deadlineMs: number): void {
    this.log.push(`stop again ${deadlineMs}`);
  }

  protected async onStop(deadlineMs: number): Promise<void> {
    this.log.push(`stop ${deadlineMs}`);
    await this.stopsIn();
  }
}

const never = (): Promise<void> => new Promise(() => undefined);

describe('a service', () => {
  test('starts once and stops once', async () => {
    const service = new Recorded();
    expect([service.isStarted, service.isStopping]).toEqual([false, false]);
    expect(service.start()).toBe(service.start());
    expect([service.isStarted, service.isStopping]).toEqual([true, false]);
    await service.start();
    expect(service.stop(50)).toBe(service.stop(99));
    expect(service.isStopping).toBe(true);
    await service.stop(1);
    // A later deadline can only shorten the first.
    expect(service.log).toEqual(['start', 'stop 50', 'stop again 99', 'stop again 1']);
  });

  test('never starts after a stop', async () => {
    const service = new Recorded();
    await service.stop(10);
    await service.start();
    expect(service.log).toEqual([]);
    expect(service.isStarted).toBe(true);
  });

  test('a failed start rejects for every caller', async () => {
    const service = new Recorded();
    service.startsIn = () => Promise.reject(new Error('no Redis'));
    const results = await Promise.allSettled([service.start(), service.start()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('after a failed start it can be started again', async () => {
    const service = new Recorded();
    service.startsIn = () => Promise.reject(new Error('no Redis'));
    await expect(service.start()).rejects.toThrow('no Redis');
    expect(service.isStarted).toBe(false);
    service.startsIn = () => Promise.resolve();
    await service.start();
    expect(service.log).toEqual(['start', 'start']);
  });

  test('stop settles by its deadline, even if its work never settles', async () => {
    const service = new Recorded();
    service.stopsIn = never;
    await service.start();
    const begun = performance.now();
    await service.stop(30);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('stop does not wait for a start that hangs', async () => {
    const service = new Recorded();
    service.startsIn = never;
    void service.start();
    await service.stop(30);
    expect(service.log).toEqual(['start', 'stop 30']);
  });

  test('stop ignores errors of onStop', async () => {
    const service = new Recorded();
    service.stopsIn = () => Promise.reject(new Error('socket'));
    await service.start();
    await expect(service.stop(30)).resolves.toBeUndefined();
  });

  test('passes the stress test', async () => {
    await stressService(() => {
      const service = new Recorded();
      service.startsIn = () => delay(1);
      service.stopsIn = () => delay(1);
      return service;
    }, 60);
  });

  test('the stress test finds a service that starts twice', async () => {
    class Twice extends Recorded {
      override start(): Promise<void> {
        return this.onStart();
      }
    }
    await expect(stressService(() => new Twice(), 3)).rejects.toThrow('start was shared');
  });

  test('a due loop passes the stress test', async () => {
    const poll = async (): Promise<{ leads: boolean; more: boolean; nextDue: undefined; now: number }> => {
      await delay(1);
      return { leads: true, more: false, nextDue: undefined, now: Date.now() };
    };
    await stressService(
      () => new DueLoop({ poll, idleMs: 1, resign: () => Promise.resolve(), onError: () => undefined }),
      60,
    );
  });
});
