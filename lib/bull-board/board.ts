import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { createBullBoard } from '@bull-board/api';
import { printable } from '../engine/base/printable.js';
import type { Queue } from '../engine/index.js';
import { ChasquiQueues } from '../nest/runtime/chasqui.queues.js';
import { BoardServer, type BoardAnswer, type BoardRequest } from './board-server.js';
import { checkBoardOptions } from './check-options.js';
import { ChasquiAdapter } from './chasqui.adapter.js';
import { UnguardedBoardError } from './errors.js';
import { MetricsHistory } from './metrics-history.js';
import { BOARD_OPTIONS, BOARD_PATH } from './module-definition.js';
import type { BoardQueueOptions, ChasquiBoardOptions } from './options.js';

/** A board of the queues of this process. */
@Injectable()
export class Board implements OnModuleInit {
  readonly #logger = new Logger('ChasquiBoardModule');
  readonly #server = new BoardServer();
  readonly #board: ReturnType<typeof createBullBoard>;
  readonly #options: ChasquiBoardOptions;
  readonly #shown = new Map<string, Queue>();
  readonly #adapters = new Map<string, ChasquiAdapter>();

  constructor(
    @Inject(BOARD_OPTIONS) options: ChasquiBoardOptions,
    @Inject(BOARD_PATH) private readonly path: string,
    private readonly queues: ChasquiQueues,
  ) {
    this.#options = checkBoardOptions(options);
    if (this.#options.guard === undefined && process.env['NODE_ENV'] === 'production') {
      throw new UnguardedBoardError(path);
    }
    const uiConfig = { boardTitle: 'Chasqui', hideDocsLink: true, ...this.#options.uiConfig };
    this.#board = createBullBoard({
      queues: [],
      serverAdapter: this.#server,
      options: { uiConfig, historyProvider: new MetricsHistory(() => this.#adapters.values()) },
    });
  }

  /** @throws ConfigError (CMQ-004) for a queue that is not registered */
  onModuleInit(): void {
    this.#refresh();
    if (this.#options.guard === undefined) {
      this.#logger.warn(
        printable(
          `The board at "/${this.path}" has no guard. With NODE_ENV=production, the application does not start like this.`,
        ),
      );
    }
  }

  answer(request: BoardRequest): Promise<BoardAnswer> {
    this.#refresh();
    return this.#server.answer(request);
  }

  /** Queues may be registered, and replaced after they were closed, while the application runs. */
  #refresh(): void {
    for (const options of this.#wanted()) {
      const queue = this.queues.get(options.name);
      if (this.#shown.get(options.name) === queue) continue;
      this.#shown.set(options.name, queue);
      const readOnlyMode = this.#options.readOnly === true || options.readOnlyMode === true;
      const adapter = new ChasquiAdapter(queue, { ...options, readOnlyMode });
      this.#adapters.set(options.name, adapter);
      this.#board.addQueue(adapter);
    }
  }

  #wanted(): readonly BoardQueueOptions[] {
    const wanted = this.#options.queues ?? this.queues.names;
    return wanted.map((queue) => (typeof queue === 'string' ? { name: queue } : queue));
  }
}
