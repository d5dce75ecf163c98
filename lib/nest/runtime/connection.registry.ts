import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { DuplicateConnectionError } from '../errors.js';
import { importersOf } from '../importers.js';
import { getConnectionToken } from '../tokens.js';
import type { RegisteredConnection } from './registered-connection.js';

/** The connections of one application. */
@Injectable()
export class ConnectionRegistry {
  readonly #connections = new Map<string, RegisteredConnection>();

  constructor(private readonly modules: ModulesContainer) {}

  /** @throws DuplicateConnectionError */
  register(connection: RegisteredConnection): RegisteredConnection {
    const { name } = connection;
    if (this.#connections.has(name)) {
      throw new DuplicateConnectionError(name, importersOf(getConnectionToken(name), this.modules));
    }
    this.#connections.set(name, connection);
    return connection;
  }

  get(name: string): RegisteredConnection | undefined {
    return this.#connections.get(name);
  }

  all(): readonly RegisteredConnection[] {
    return [...this.#connections.values()];
  }
}
