import { timingSafeEqual } from 'node:crypto';
import { Injectable, UnauthorizedException, type CanActivate, type ExecutionContext } from '@nestjs/common';

interface Request {
  headers: { authorization?: string };
}
interface Response {
  setHeader(name: string, value: string): void;
}

/** Asks the browser for a user and a password. An application with users asks here whether the user is an operator. */
@Injectable()
export class PasswordGuard implements CanActivate {
  readonly #expected: Buffer;

  constructor() {
    const password = process.env['BOARD_PASSWORD'];
    if (!password) throw new Error('Set BOARD_PASSWORD: the board shows the data of all jobs.');
    this.#expected = Buffer.from(`shop:${password}`);
  }

  canActivate(context: ExecutionContext): boolean {
    const { authorization = '' } = context.switchToHttp().getRequest<Request>().headers;
    const given = Buffer.from(authorization.replace(/^Basic /, ''), 'base64');
    if (given.length === this.#expected.length && timingSafeEqual(given, this.#expected)) return true;
    context.switchToHttp().getResponse<Response>().setHeader('WWW-Authenticate', 'Basic realm="shop"');
    throw new UnauthorizedException();
  }
}
