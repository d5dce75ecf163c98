import { checkOptions } from '../engine/config/check-options.js';
import { recordSchema, type ChasquiRecordOptions } from './options.js';

/** The data of a message together with its options. {@link ChasquiRecordBuilder} builds it. */
export class ChasquiRecord<Data = unknown> {
  constructor(
    readonly data: Data,
    readonly options: ChasquiRecordOptions = {},
  ) {}
}

/**
 * Sets options for one message.
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

  /**
   * Adds options. They override options with the same name that were set before.
   * @throws ConfigError (CMQ-004) for a wrong option
   */
  setOptions(options: ChasquiRecordOptions): this {
    const checked = checkOptions('ChasquiRecordBuilder.setOptions', recordSchema, options);
    this.#options = { ...this.#options, ...checked };
    return this;
  }

  build(): ChasquiRecord<Data> {
    return new ChasquiRecord(this.#data as Data, this.#options);
  }
}
