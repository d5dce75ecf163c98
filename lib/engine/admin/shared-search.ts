interface Wanted<T> {
  readonly promise: Promise<T>;
  readonly resolve: (found: T) => void;
  readonly reject: (error: unknown) => void;
}

/** Most ids of one search. */
const MAX_IDS = 1_000;

/**
 * Shares searches: ids that are wanted in the same tick are searched for together, and ids that are wanted while a search
 * is under way wait for the next one. If each id had a search of its own, each would walk through the whole stream.
 */
export class SharedSearch<T> {
  readonly #search: (ids: ReadonlySet<string>) => Promise<ReadonlyMap<string, T>>;
  readonly #notFound: T;
  readonly #wanted = new Map<string, Wanted<T>>();
  #isUnderWay = false;

  constructor(search: (ids: ReadonlySet<string>) => Promise<ReadonlyMap<string, T>>, notFound: T) {
    this.#search = search;
    this.#notFound = notFound;
  }

  find(id: string): Promise<T> {
    let wanted = this.#wanted.get(id);
    if (!wanted) this.#wanted.set(id, (wanted = deferred<T>()));
    if (!this.#isUnderWay) {
      this.#isUnderWay = true;
      process.nextTick(() => void this.#run());
    }
    return wanted.promise;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    while (this.#wanted.size > 0) {
      const batch = new Map([...this.#wanted].slice(0, MAX_IDS));
      for (const id of batch.keys()) this.#wanted.delete(id);
      try {
        const found = await this.#search(new Set(batch.keys()));
        for (const [id, { resolve }] of batch) resolve(found.get(id) ?? this.#notFound);
      } catch (error) {
        for (const { reject } of batch.values()) reject(error);
      }
    }
    this.#isUnderWay = false;
  }
}

function deferred<T>(): Wanted<T> {
  let resolve: Wanted<T>['resolve'] = () => undefined;
  let reject: Wanted<T>['reject'] = () => undefined;
  const promise = new Promise<T>((whenFound, whenFailed) => {
    resolve = whenFound;
    reject = whenFailed;
  });
  return { promise, resolve, reject };
}
