import type { ChasquiRecordOptions } from './options.js';

/** Data of a message together with its options; made by {@link ChasquiRecordBuilder}. */
export class ChasquiRecord<Data = unknown> {
  constructor(
    readonly data: Data,
    readonly options: ChasquiRecordOptions = {},
  ) {}
}

/**
 * Gives one message options of its own.
 *
 * @example
 * ```ts
 * client.emit('remind', new ChasquiRecordBuilder({ to }).setOptions({ delay: 60_000, attempts: 5 }).build());
 * ```
 */
export class ChasquiRecordBuilder<Data = unknown> {
  #data: Data | undefined;
  #options: ChasquiRecordOptions = {};

  constructor(data?: Data) {
    this.#data = data;
  }

  setData(data: Data): this {
    this.#data = data;
    return this;
  }

  /** Options that were set before stay, unless they are named again. */
  setOptions(options: ChasquiRecordOptions): this {
    this.#options = { ...this.#options, ...options };
    return this;
  }

  build(): ChasquiRecord<Data> {
    return new ChasquiRecord(this.#data as Data, this.#options);
  }
}
