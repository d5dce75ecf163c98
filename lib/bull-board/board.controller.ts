import {
  All,
  applyDecorators,
  Controller,
  Req,
  Res,
  StreamableFile,
  UseGuards,
  VERSION_NEUTRAL,
  type Type,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { Board } from './board.js';
import { BoardGuard } from './board-access.js';

/** What Express and Fastify have in common. */
interface HttpRequest {
  readonly body?: unknown;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A prefix that a proxy has cut off. */
const PREFIX = /^(\/[\w.~%-]+)+\/?$/;

/** The controller of a board. Each board has its own, because the path and the decorators are those of the class. */
export function boardController(path: string, decorators: readonly ClassDecorator[]): Type {
  @Controller({ path, version: VERSION_NEUTRAL })
  @UseGuards(BoardGuard)
  @applyDecorators(...decorators)
  class ChasquiBoardController {
    constructor(
      private readonly board: Board,
      private readonly host: HttpAdapterHost,
      private readonly config: ApplicationConfig,
    ) {
      // Fastify and Express spell "the rest of the path" differently. Nest reads the routes after it has made the controllers.
      const rest = host.httpAdapter?.getType() === 'fastify' ? '*' : '*path';
      const serve = Object.getOwnPropertyDescriptor(ChasquiBoardController.prototype, 'serve');
      All(['', rest])(ChasquiBoardController.prototype, 'serve', serve as TypedPropertyDescriptor<unknown>);
    }

    @All('')
    async serve(@Req() request: HttpRequest, @Res() response: unknown): Promise<void> {
      const http = this.host.httpAdapter;
      const { pathname, searchParams } = new URL(String(http.getRequestUrl(request)), 'http://board');
      const mount = this.mountOf(pathname);
      const { status, headers, body } = await this.board.answer({
        method: String(http.getRequestMethod(request)),
        path: pathname.slice(mount.length),
        query: searchParams,
        body: request.body,
        headers: request.headers,
        base: `${prefixOf(request)}${mount}/`,
      });
      for (const [name, value] of Object.entries(headers)) http.setHeader(response, name, value);
      await http.reply(response, body && new StreamableFile(body), status);
    }

    /** Where the board is, as the address says it: a global prefix may stand before its path. */
    private mountOf(pathname: string): string {
      const whole = `/${[this.config.getGlobalPrefix(), path].map(trimmed).filter(Boolean).join('/')}`;
      if (isBelow(pathname, whole)) return whole;
      const at = `${pathname}/`.indexOf(`/${path}/`);
      return at < 0 ? '' : `${pathname.slice(0, at)}/${path}`;
    }
  }
  return ChasquiBoardController;
}

function isBelow(pathname: string, mount: string): boolean {
  return pathname === mount || pathname.startsWith(`${mount}/`);
}

function trimmed(path: string): string {
  return path.replaceAll(/^\/+|\/+$/g, '');
}

function prefixOf({ headers }: HttpRequest): string {
  const prefix = headers['x-forwarded-prefix'];
  return typeof prefix === 'string' && PREFIX.test(prefix) ? prefix.replace(/\/$/, '') : '';
}
