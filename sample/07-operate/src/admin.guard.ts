import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';

/** Injection token of the secret that the admin sends. */
export const ADMIN_TOKEN = 'ADMIN_TOKEN';

interface Request {
  headers: Record<string, string | string[] | undefined>;
}

/**
 * Lets a request pass if its header `authorization: Bearer <token>` has the token. Any other request gets 403. An application
 * with users asks here whether the user is an operator.
 */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(ADMIN_TOKEN) private readonly token: string) {}

  canActivate(context: ExecutionContext): boolean {
    const { authorization } = context.switchToHttp().getRequest<Request>().headers;
    return typeof authorization === 'string' && isSame(authorization, `Bearer ${this.token}`);
  }
}

/** The time that this takes says nothing about the token. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
