import { RpcException } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { expect } from 'vitest';
import type { ChasquiClient } from '../../../lib/microservices/index.js';

/** Sends a request, and resolves with its first reply. */
export function ask<T = unknown>(client: ChasquiClient, pattern: unknown, data: unknown = {}): Promise<T> {
  return firstValueFrom(client.send<T>(pattern, data));
}

/** The error that a request must end with. */
export async function errorOf(reply: Promise<unknown>): Promise<RpcException> {
  const error: unknown = await reply.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RpcException);
  return error as RpcException;
}
