import type {
  AppControllerRoute,
  AppViewRoute,
  BullBoardQueues,
  ControllerHandlerReturnType,
  IServerAdapter,
  UIConfig,
} from '@bull-board/api/typings/app';
import { AllQueues, type Handler } from './all-queues.js';
import { BoardError, toBoardError } from './board-error.js';
import { ChasquiAdapter } from './chasqui.adapter.js';
import { UiFiles, UiPage } from './ui-files.js';

/** A request to the board, of any HTTP library. */
export interface BoardRequest {
  readonly method: string;
  /** Behind the path of the board, not decoded: `/api/queues`. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Parsed JSON. */
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Where the browser finds the board, with a slash at both ends. */
  readonly base: string;
}

export interface BoardAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

interface Route {
  readonly method: string;
  /** A segment that begins with a colon is a parameter. */
  readonly segments: readonly string[];
  readonly answer: Handler;
}

const SAFE = { 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin' };
/** The page runs its own scripts only, and nothing is loaded from other hosts but images of the user's configuration. */
const POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; font-src 'self' data:; " +
  "worker-src 'self' blob:; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'";

const RETRY_ALL = '/api/queues/:queueName/retry/:queueStatus';

/** The server of Bull Board, for any HTTP library: it turns a request into an answer, and never throws. */
export class BoardServer implements IServerAdapter {
  readonly #all = new AllQueues();
  #queues: BullBoardQueues = new Map();
  #uiConfig: UIConfig = {};
  #page: UiPage | undefined;
  #files: UiFiles | undefined;
  #pages: string[][] = [];
  #entry: AppViewRoute | undefined;
  #routes: Route[] = [];
  #onError: (error: Error) => ControllerHandlerReturnType = () => ({ body: {} });

  setQueues(queues: BullBoardQueues): this {
    this.#queues = queues;
    return this;
  }

  setViewsPath(folder: string): this {
    this.#page = new UiPage(`${folder}/index.ejs`);
    return this;
  }

  setStaticPath(_route: string, folder: string): this {
    this.#files = new UiFiles(folder);
    return this;
  }

  setUIConfig(config: UIConfig): this {
    this.#uiConfig = config;
    return this;
  }

  setEntryRoute(entry: AppViewRoute): this {
    this.#pages = [entry.route].flat().map(segmentsOf);
    this.#entry = entry;
    return this;
  }

  setErrorHandler(handler: (error: Error) => ControllerHandlerReturnType): this {
    this.#onError = handler;
    return this;
  }

  setApiRoutes(routes: AppControllerRoute[]): this {
    this.#routes = routes.flatMap((route) =>
      [route.route].flat().flatMap((path) =>
        [route.method].flat().map((method) => ({
          method: method.toUpperCase(),
          segments: segmentsOf(path),
          answer:
            this.#all.handlerOf(path, callOf(route)) ??
            (path === RETRY_ALL ? retryingAll(route) : callOf(route)),
        })),
      ),
    );
    return this;
  }

  async answer(request: BoardRequest): Promise<BoardAnswer> {
    try {
      const segments = segmentsOf(request.path).map(decoded);
      if (segments[0] === 'api') return json(await this.#call(request, segments));
      if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'Method Not Allowed');
      if (segments[0] === 'static') return await this.#file(segments.slice(1).join('/'));
      if (this.#pages.some((page) => matches(page, segments))) return this.#html(request.base);
      return text(404, 'Not Found');
    } catch (error) {
      return json(this.#failed(error));
    }
  }

  async #call(request: BoardRequest, segments: readonly string[]): Promise<ControllerHandlerReturnType> {
    refuseForeign(request);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const route = this.#routes.find((one) => one.method === method && matches(one.segments, segments));
    if (!route) throw new BoardError(404, 'The board has no such route.', undefined, 'Not found');
    this.#refuseReadOnly(method, segments);
    const params: Record<string, string> = {};
    route.segments.forEach((name, index) => {
      if (name.startsWith(':')) params[name.slice(1)] = segments[index] as string;
    });
    return route.answer({
      queues: this.#queues,
      uiConfig: this.#uiConfig,
      query: this.#queryOf(request.query),
      params,
      body: (request.body ?? {}) as Record<string, unknown>,
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, textOf(value)]),
      ),
    });
  }

  /** Bull Board refuses the changes of one queue by itself, and lets those of all queues pass. */
  #refuseReadOnly(method: string, segments: readonly string[]): void {
    const isOfAll = segments.length === 3 && method !== 'GET';
    const queues = [...this.#queues.values()];
    if (isOfAll && queues.length > 0 && queues.every(({ readOnlyMode }) => readOnlyMode)) {
      throw new BoardError(405, 'The board is read-only.');
    }
  }

  /** The handlers decode names of queues once more, so that a percent sign in a name would be an error. */
  #queryOf(given: URLSearchParams): Record<string, string> {
    const query = Object.fromEntries(given);
    for (const name of ['activeQueue', 'queueName']) {
      const queue = query[name];
      if (queue !== undefined && this.#queues.has(queue)) query[name] = encodeURIComponent(queue);
    }
    return query;
  }

  #html(base: string): BoardAnswer {
    const { params } = (this.#entry as AppViewRoute).handler({ basePath: base, uiConfig: this.#uiConfig });
    const body = Buffer.from((this.#page as UiPage).render(params));
    const type = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY };
    return { status: 200, headers: { ...SAFE, ...type, 'cache-control': 'no-store' }, body };
  }

  async #file(name: string): Promise<BoardAnswer> {
    const file = await this.#files?.read(name);
    if (!file) return text(404, 'Not Found');
    const cache = file.isForever ? 'private, max-age=31536000, immutable' : 'private, max-age=3600';
    return {
      status: 200,
      headers: { ...SAFE, 'content-type': file.type, 'cache-control': cache },
      body: file.bytes,
    };
  }

  #failed(error: unknown): ControllerHandlerReturnType {
    const told = toBoardError(error);
    const { status = 500, body } = this.#onError(told);
    const { error: usual, message } = body as { error: { key: string }; message?: string };
    const key = told.title ?? TITLES[status] ?? usual.key;
    // The stack, which the board adds during development, is for the log.
    return { status, body: { error: { key }, message } as never };
  }
}

/** Headlines of the board by status: its own, by their keys, or text, which it shows as it is. */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Not accepted',
  403: 'ERRORS.FORBIDDEN',
  404: 'ERRORS.JOB_NOT_FOUND',
  405: 'ERRORS.QUEUE_READ_ONLY',
  409: 'Not possible now',
  413: 'Too large',
  415: 'Not accepted',
  503: 'ERRORS.REDIS_UNAVAILABLE',
};

function callOf(route: AppControllerRoute): Handler {
  return async (request) => route.handler(request);
}

/** Bull Board retries all jobs one by one; a queue does it in a few steps. */
function retryingAll(route: AppControllerRoute): Handler {
  const oneByOne = callOf(route);
  return async (request) => {
    const { queueName, queueStatus } = request.params as { queueName: string; queueStatus: string };
    const queue = request.queues.get(queueName);
    const isRetry = queueStatus === 'failed' || queueStatus === 'completed';
    const isAllowed =
      queue instanceof ChasquiAdapter && !queue.readOnlyMode && (await queue.isVisible(request));
    if (!isRetry || !isAllowed) return oneByOne(request);
    const before = (await queue.getJobCounts())[queueStatus] ?? 0;
    await queue.retryAll(queueStatus);
    return { status: 200, body: { retried: before, skipped: 0 } };
  };
}

/**
 * Another site must not use the browser of somebody who may use the board. Browsers say where a request comes from in
 * `Sec-Fetch-Site`, and over plain http only in `Origin`. Other clients send neither.
 */
function refuseForeign({ method, headers }: BoardRequest): void {
  if (method === 'GET' || method === 'HEAD') return;
  const from = headers['sec-fetch-site'];
  const isForeign =
    from === undefined
      ? isOtherHost(textOf(headers['origin']), textOf(headers['host']))
      : from !== 'same-origin' && from !== 'none';
  if (isForeign) {
    throw new BoardError(
      403,
      'A page of another site cannot change jobs. Over plain http, a proxy in front of the board must keep the header Host.',
    );
  }
  const type = String(headers['content-type'] ?? '');
  // A form of another site can send anything but JSON.
  if (method === 'POST' && !/^application\/json\b/i.test(type)) {
    throw new BoardError(415, 'The body must be JSON, with the content type application/json.');
  }
}

function isOtherHost(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return false;
  // The default port may be written or not.
  const asked = `${origin.slice(0, origin.indexOf(':'))}://${String(host)}`;
  return !URL.canParse(origin) || !URL.canParse(asked) || new URL(origin).host !== new URL(asked).host;
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header;
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** @throws BoardError */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new BoardError(400, 'The address is not a valid URL.');
  }
}

function matches(route: readonly string[], segments: readonly string[]): boolean {
  return (
    route.length === segments.length &&
    route.every((name, index) => name.startsWith(':') || name === segments[index])
  );
}

function json({ status = 200, body }: ControllerHandlerReturnType): BoardAnswer {
  const headers = { ...SAFE, 'cache-control': 'no-store' };
  if (status === 204) return { status, headers, body: undefined };
  return {
    status,
    headers: { ...headers, 'content-type': 'application/json; charset=utf-8' },
    body: Buffer.from(JSON.stringify(body)),
  };
}

function text(status: number, message: string): BoardAnswer {
  return {
    status,
    headers: { ...SAFE, 'content-type': 'text/plain; charset=utf-8' },
    body: Buffer.from(message),
  };
}
