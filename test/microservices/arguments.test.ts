import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { ChasquiClient, ChasquiRecordBuilder, ChasquiServer } from '../../lib/microservices/index.js';
import { useRedis } from '../support/redis.js';
import { useMicroservices } from './support/apps.js';

const redis = useRedis();
const { boot, connect } = useMicroservices(redis);

const codeAndMessage = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

async function thrownBy(call: () => unknown): Promise<unknown> {
  return Promise.resolve()
    .then(call)
    .then(
      () => expect.fail(`accepted: ${String(call)}`),
      (error: unknown) => error,
    );
}

it('a client names the method and says what to pass', async () => {
  const client = connect();
  const calls: readonly [() => unknown, string, RegExp][] = [
    [() => new ChasquiClient(undefined as never), 'CMQ-004', /^ChasquiClient: options must be an object/],
    [() => new ChasquiClient({} as never), 'CMQ-004', /^ChasquiClient: option "queue" is missing/],
    [() => firstValueFrom(client.emit(undefined, 1)), 'CMQ-341', /ChasquiClient\.emit got undefined/],
    [() => firstValueFrom(client.send(null, 1)), 'CMQ-341', /ChasquiClient\.send got null/],
    [
      () => firstValueFrom(client.emit('paid', undefined)),
      'CMQ-004',
      /^ChasquiClient\.emit: the data must not/,
    ],
    [
      () => firstValueFrom(client.send('price', null)),
      'CMQ-004',
      /^ChasquiClient\.send: the data .+ empty object/,
    ],
    [() => firstValueFrom(client.emit(() => 1, 1)), 'CMQ-341', /it is of type function/],
    [
      () => new ChasquiRecordBuilder().setOptions(5 as never),
      'CMQ-004',
      /setOptions: options must be an object/,
    ],
    [
      () => new ChasquiRecordBuilder().setOptions(undefined as never),
      'CMQ-004',
      /setOptions: options must be/,
    ],
    [() => new ChasquiRecordBuilder().setOptions({ dely: 5 } as never), 'CMQ-004', /"dely".+"delay"\?/],
  ];
  for (const [call, code, message] of calls) {
    expect(await thrownBy(call)).toEqual(codeAndMessage(code, message));
  }
});

it('a server names the method and says what to pass', async () => {
  const { server } = await boot({});
  const calls: readonly [() => unknown, RegExp][] = [
    [() => new ChasquiServer(undefined as never), /^ChasquiServer: options must be an object/],
    [() => new ChasquiServer({ queue: 'a' } as never), /^ChasquiServer: option "connection" is missing/],
    [
      () => server.setTransportId(undefined as never),
      /^ChasquiServer\.setTransportId: the id must be a symbol/,
    ],
    [
      () => server.on('complete' as 'completed', () => {}),
      /^ChasquiServer\.on: .+"complete"\. Did you mean "completed"\?/,
    ],
    [() => server.on('completed', undefined as never), /^ChasquiServer\.on: the listener must be a function/],
  ];
  for (const [call, message] of calls) {
    expect(await thrownBy(call)).toEqual(codeAndMessage('CMQ-004', message));
  }
});
