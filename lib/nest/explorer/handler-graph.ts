import { Injectable, Optional } from '@nestjs/common';
import { SerializedGraph } from '@nestjs/core';
import { listOf } from '../source-location.js';
import type { ProcessorDeclaration } from './declarations.js';

/** The type of our entry points in the graph. Routes have `http-endpoint`, and messages `microservice`. */
const TYPE = 'chasqui-job';

/**
 * Writes the handlers into Nest's graph of the application, beside its routes and messages, so that Nest's Devtools and
 * other readers of `SerializedGraph` show them by name. Nest keeps the graph if the application has `snapshot: true`.
 */
@Injectable()
export class HandlerGraph {
  readonly #added = new Set<string>();

  constructor(@Optional() private readonly graph?: SerializedGraph) {}

  /** Handlers that are in the graph already are left out. */
  add(processors: readonly ProcessorDeclaration[]): void {
    for (const { host, queue, handlers } of processors) {
      const { id } = host.wrapper;
      // Without a snapshot, the graph has no nodes.
      if (!this.graph?.getNodeById(id)) continue;
      for (const { methodName, names, catchAll } of handlers) {
        const jobs = [...names.map(String), ...(catchAll ? ['*'] : [])];
        const entry = `${id}_${methodName}_${queue}`;
        if (this.#added.has(entry)) continue;
        this.#added.add(entry);
        this.graph.insertEntrypoint(
          {
            id: entry,
            type: TYPE,
            methodName,
            className: host.className,
            classNodeId: id,
            metadata: { key: `${queue}: ${listOf(jobs)}`, queue, jobs },
          },
          id,
        );
      }
    }
  }
}
